"""Everything that can fail while nothing that runs is touched: images are pulled and built, files rendered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

from reconciler.core.blocked_images import block_of, refusal
from reconciler.core.build_context import archive, read_context
from reconciler.core.container import HostPaths, file_path
from reconciler.core.fingerprint import Sealer
from reconciler.errors import ReconcilerError
from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.plan import ImageNeed, Plan
from reconciler.ports import ContainerEngine, HostFiles, Images, Progress, Tree


def prepare_images(
    engine: ContainerEngine,
    tree: Tree,
    plan: Plan,
    progress: Progress,
    parallel: int,
    images: Images,
    blocked: Collection[str],
) -> None:
    """All images of the plan, several at once; the first failure is raised when all have ended.

    `blocked`: names of blocks; a pull that brings such an image ends here.
    KeyboardInterrupt does not wait for them: a pull that is given up on changes nothing that runs.
    """
    pool = ThreadPoolExecutor(parallel)
    try:
        futures = [pool.submit(_obtain, engine, tree, need, progress, images, blocked) for need in plan.images]
        wait(futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for future in futures:
        future.result()


def render_files(files: HostFiles, desired: Desired, paths: HostPaths, sealer: Sealer) -> None:
    """Inline configs and secrets; their names hold a hash of the content, so none in use is ever overwritten."""
    content: Mapping[str, bytes] = {
        file_path(item, stack, paths, sealer): item.content
        for stack in desired.stacks
        for item in stack.files
        if item.content is not None
    }
    for path, text in content.items():
        files.write(path, text)


def _obtain(
    engine: ContainerEngine,
    tree: Tree,
    need: ImageNeed,
    progress: Progress,
    images: Images,
    blocked: Collection[str],
) -> None:
    if need.present:
        progress.say(f"{need.reference}: tagging the image that is here ({need.reason})")
        engine.tag(need.present, need.reference)
    elif need.build:
        progress.say(f"{need.reference}: building ({need.reason})")
        context = read_context(tree, need.build)
        build = replace(need.build, dockerfile=context.dockerfile)
        platform = need.platform or build.options.platform
        engine.build(
            need.reference, build, archive(tree, context), {labels.BUILD: need.build_id}, platform, progress.say
        )
    else:
        progress.say(f"{need.reference}: pulling ({need.reason})")
        try:
            engine.pull(need.reference, need.platform, progress.say)
        except ReconcilerError:
            if need.moved:
                images.failed(need.reference)  # or it would be in the way of every pass
            raise
        if block := block_of(engine.image(need.reference), blocked):
            raise refusal(need.reference, block, need.services)
