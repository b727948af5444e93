"""Which keys are read, and which ones the Compose specification has beyond that (refused by name, with advice)."""

from __future__ import annotations

_REMOVE = "remove it"


def _words(text: str) -> list[str]:
    return text.split()


TOP = frozenset(("name", "version", "services", "networks", "volumes", "configs", "secrets", "include"))
TOP_REFUSED = {"models": _REMOVE, "jobs": "use a service with restart: no, and x-reconciler: {job: true}"}

SERVICE = frozenset(
    _words("""
        image build command entrypoint environment env_file ports volumes networks network_mode depends_on healthcheck
    restart container_name hostname domainname mac_address labels expose user working_dir cap_add cap_drop devices
    security_opt tmpfs read_only privileged dns dns_search dns_opt sysctls init logging shm_size stdin_open tty ulimits
    extra_hosts group_add stop_signal stop_grace_period pid ipc secrets configs profiles extends deploy pull_policy
    platform mem_limit mem_reservation cpus pids_limit gpus runtime
    cpuset cpu_shares cpu_period cpu_quota memswap_limit mem_swappiness oom_kill_disable oom_score_adj uts userns_mode
    device_cgroup_rules cgroup cgroup_parent storage_opt scale attach develop links label_file""")
)
SERVICE_REFUSED = {
    **dict.fromkeys(
        _words("""
        annotations blkio_config cpu_count cpu_percent cpu_rt_period cpu_rt_runtime credential_spec isolation
        models post_start pre_start pre_stop provider pull_refresh_after umask use_api_socket"""),
        _REMOVE,
    ),
    "external_links": "put both services on one network; they reach each other by name",
    "volumes_from": "mount the same named volumes in both services",
}
BUILD = frozenset(
    _words("""
        context dockerfile dockerfile_inline args target labels cache_from extra_hosts network no_cache platforms pull
        shm_size""")
)
BUILD_REFUSED = dict.fromkeys(
    _words("""
        additional_contexts cache_to entitlements isolation no_cache_filter privileged provenance sbom secrets ssh tags
    ulimits"""),
    _REMOVE,
)
HEALTHCHECK = frozenset(("test", "interval", "timeout", "retries", "start_period", "disable"))
HEALTHCHECK_REFUSED = {"start_interval": "use interval; older engines know nothing else"}
DEPENDS_ON = frozenset(("condition", "restart", "required"))
LOGGING = frozenset(("driver", "options"))
EXTENDS = frozenset(("service", "file"))
INCLUDE = frozenset(("path", "env_file", "project_directory"))
ENV_FILE = frozenset(("path", "required", "format"))
ULIMIT = frozenset(("soft", "hard"))
DEVICE = frozenset(("source", "target", "permissions"))
GRANT = frozenset(("source", "target", "uid", "gid", "mode"))
PORT = frozenset(("target", "published", "protocol", "host_ip", "mode", "name", "app_protocol"))
MOUNT = frozenset(("type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"))
MOUNT_REFUSED = {"image": _REMOVE}
BIND = frozenset(("propagation", "create_host_path", "selinux"))
BIND_REFUSED = {"recursive": _REMOVE}
VOLUME_OPTIONS = frozenset(("nocopy",))
VOLUME_OPTIONS_REFUSED = {"subpath": _REMOVE, "labels": "label the volume itself, under the top-level volumes:"}
TMPFS = frozenset(("size", "mode"))
ATTACHMENT = frozenset(("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address", "priority"))
ATTACHMENT_REFUSED = dict.fromkeys(("driver_opts", "gw_priority", "interface_name", "use_service_name_alias"), _REMOVE)

DEPLOY = frozenset(_words("mode replicas resources update_config restart_policy endpoint_mode labels rollback_config"))
DEPLOY_REFUSED = {"placement": "choose hosts with x-reconciler: {hosts: [...]}"}
RESOURCES = frozenset(("limits", "reservations"))
LIMITS = frozenset(("cpus", "memory", "pids"))
RESERVATIONS = frozenset(("cpus", "memory", "devices"))
RESERVATIONS_REFUSED = {"generic_resources": _REMOVE}
DEVICE_REQUEST = frozenset(("driver", "count", "device_ids", "capabilities", "options"))
UPDATE = frozenset(("order", "failure_action", "monitor", "parallelism", "delay", "max_failure_ratio"))
RESTART_POLICY = frozenset(("condition", "max_attempts", "delay", "window"))

NETWORK = frozenset(
    ("name", "external", "driver", "driver_opts", "internal", "attachable", "enable_ipv6", "ipam", "labels")
)
NETWORK_REFUSED = {"enable_ipv4": _REMOVE}
IPAM = frozenset(("driver", "options", "config"))
IPAM_POOL = frozenset(("subnet", "ip_range", "gateway", "aux_addresses"))
VOLUME = frozenset(("name", "external", "driver", "driver_opts", "labels"))
FILE_OBJECT = frozenset(("name", "external", "file", "content", "environment"))
FILE_OBJECT_REFUSED = dict.fromkeys(("driver", "driver_opts", "labels", "template_driver"), _REMOVE)
EXTERNAL = frozenset(("name",))
