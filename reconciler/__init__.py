"""GitOps for plain Docker hosts: what git says is what runs."""

__version__ = "0.1.0"
