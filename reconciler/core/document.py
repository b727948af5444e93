"""YAML text becomes positioned values, within bounds of size, depth and number of nodes.

The document is built from parser events, so nothing is walked twice and an alias is counted
arithmetically: a bomb of aliases is refused when it is written, not when it goes off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

import yaml

from reconciler.core.positioned import Map, Place, Seq, Tagged
from reconciler.core.scalars import Scalar, resolve
from reconciler.errors import BadConfiguration, Position
from reconciler.ports import Tree

__all__ = ["Limits", "Map", "Place", "Seq", "Tagged", "parse", "read_file", "shorten"]

_CORE = "tag:yaml.org,2002:"
_MERGE_TAGS: dict[str, Literal["reset", "override"]] = {"!reset": "reset", "!override": "override"}
_CASTS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}
# Only its events are used, so nothing is ever constructed from a tag.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Limits:
    """`size` in bytes; `nodes` counts every scalar, mapping and sequence after aliases are expanded."""

    size: int = 1024 * 1024
    depth: int = 64
    nodes: int = 100_000


@dataclass(slots=True)
class _Frame:
    """A collection that is still open. `height` is that of its highest child."""

    value: Map | Seq
    place: Place
    anchor: str | None
    tag: str | None
    nodes_before: int
    height: int = 0
    key: str | None = None
    key_place: Place | None = None
    merges: list[Map] = field(default_factory=list)
    has_merge: bool = False


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    nodes: int
    height: int


class _MergeKey(str):
    """The plain key `<<`."""

    __slots__ = ()


def parse(text: bytes, file: str, limits: Limits = Limits()) -> Any:
    """The one document in `text` as Map, Seq or scalar; `file` is the name errors show. BadConfiguration."""
    return _Builder(_decode(text, file, limits), file, limits).build()


def read_file(tree: Tree, path: str, limits: Limits = Limits()) -> bytes:
    """The bytes of a file that shall be parsed; one that is too large is not even read. BadConfiguration, KeyError."""
    entry = tree.entry(path)
    if entry is not None and entry.size > limits.size:
        _too_large(entry.size, path, limits)
    return tree.read(path)


def _too_large(size: int, file: str, limits: Limits) -> NoReturn:
    _fail(
        "E-YAML-SIZE",
        f"the file has {size} bytes, more than {limits.size}",
        (file, 0, 0),
        why="manifests are written by people; a file of this size is something else",
        next="split it, or move data out of it into files of its own",
    )


def _decode(text: bytes, file: str, limits: Limits) -> str:
    if len(text) > limits.size:
        _too_large(len(text), file, limits)
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start]
        place = (file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        _fail("E-YAML-ENCODING", "the file is not UTF-8", place, next="save it as UTF-8")


def shorten(text: str, most: int = 60) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def _fail(code: str, what: str, place: Place, why: str = "", next: str = "") -> NoReturn:
    raise BadConfiguration(code, what, why=why, next=next, at=Position(*place))


class _Builder:
    def __init__(self, text: str, file: str, limits: Limits) -> None:
        self.text = text
        self.file = file
        self.limits = limits
        self.nodes = 0
        self.anchors: dict[str, _Anchored] = {}
        self.stack: list[_Frame] = []
        self.root: Any = None

    def build(self) -> Any:
        try:
            # The parser without C reads its first characters when it is made.
            return self._documents(_Parser(self.text))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (self.file, mark.line + 1, mark.column + 1) if mark else (self.file, 0, 0)
            _fail(
                "E-YAML-SYNTAX", f"this is not YAML: {error.problem or error.context}", place, why=self._tab_hint(place)
            )
        except yaml.reader.ReaderError as error:
            before = self.text[: error.position] if isinstance(error.position, int) else ""
            place = (self.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            _fail("E-YAML-SYNTAX", "this is not YAML: a control character is not allowed here", place)

    def _tab_hint(self, place: Place) -> str:
        lines = self.text.splitlines()
        line = lines[place[1] - 1] if 0 < place[1] <= len(lines) else ""
        return "YAML is indented with spaces, never with tabs" if line[place[2] - 1 : place[2]] == "\t" else ""

    def _documents(self, parser: Any) -> Any:
        documents = 0
        while (event := parser.get_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    _fail(
                        "E-YAML-SYNTAX",
                        "the file holds more than one document",
                        self._place(event),
                        next="keep one document per file; remove the line ---",
                    )
        if not documents or self.root is None:
            _fail("E-YAML-SYNTAX", "the file is empty", (self.file, 1, 1))
        return self.root

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return (self.file, mark.line + 1, mark.column + 1)

    def _count(self, nodes: int, height: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > self.limits.nodes:
            _fail(
                "E-YAML-ALIASES" if self.anchors else "E-YAML-SIZE",
                f"with its aliases expanded the file holds more than {self.limits.nodes} values",
                place,
                why="aliases of aliases multiply" if self.anchors else "",
                next="write the values out, or split the file",
            )
        if len(self.stack) + height > self.limits.depth:
            _fail("E-YAML-DEPTH", f"the file is nested deeper than {self.limits.depth} levels", place)

    def _scalar(self, event: Any) -> None:
        place = self._place(event)
        self._count(1, 0, place)
        value: Any
        if event.tag is None and event.implicit[0]:
            value = _MergeKey("<<") if event.value == "<<" and self._wants_key() else resolve(event.value)
        elif event.tag is None:
            value = event.value
        else:
            value = self._tagged_scalar(event, place)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, 1, 0)
        self._emit(value, place, 0)

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, Map) and self.stack[-1].key is None

    def _tagged_scalar(self, event: Any, place: Place) -> Any:
        tag: str = event.tag
        if tag in _MERGE_TAGS:
            return Tagged(_MERGE_TAGS[tag], event.value if event.style else resolve(event.value), place)
        if tag == "!" or tag == _CORE + "str":
            return event.value
        if tag == _CORE + "merge" and event.value == "<<" and self._wants_key():
            return _MergeKey("<<")
        name = tag.removeprefix(_CORE)
        if tag == name or name not in _CASTS:
            self._refuse_tag(tag, place)
        return _cast(resolve(event.value), name, event.value, place)

    def _refuse_tag(self, tag: str, place: Place) -> NoReturn:
        _fail(
            "E-YAML-TAG",
            f"the tag {shorten(tag)!r} is not allowed",
            place,
            why="a tag may make a loader construct objects; only the core types, !reset and !override are read",
            next="remove the tag",
        )

    def _open(self, event: Any, mapping: bool) -> None:
        place = self._place(event)
        self._count(1, 1, place)
        tag: str | None = event.tag
        if tag is not None and tag not in _MERGE_TAGS and tag not in ("!", _CORE + ("map" if mapping else "seq")):
            self._refuse_tag(tag, place)
        value: Map | Seq = Map(place) if mapping else Seq(place)
        self.stack.append(_Frame(value, place, event.anchor, tag, self.nodes - 1))

    def _close(self) -> None:
        frame = self.stack.pop()
        if isinstance(frame.value, Map) and frame.merges:
            for source in frame.merges:
                for key in source:
                    if key not in frame.value:
                        frame.value.take(source, key)
        value: Any = frame.value
        if frame.tag in _MERGE_TAGS:
            value = Tagged(_MERGE_TAGS[frame.tag], value, frame.place)
        height = frame.height + 1
        if frame.anchor is not None:
            self.anchors[frame.anchor] = _Anchored(value, self.nodes - frame.nodes_before, height)
        self._emit(value, frame.place, height)

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        anchored = self.anchors.get(event.anchor)
        if anchored is None or any(frame.anchor == event.anchor for frame in self.stack):
            name = shorten(event.anchor)
            _fail(
                "E-YAML-ALIASES",
                f"the alias *{name} has no finished anchor &{name} before it",
                place,
                next="define the anchor above its use; a value cannot contain itself",
            )
        self._count(anchored.nodes, anchored.height, place)
        self._emit(anchored.value, place, anchored.height)

    def _emit(self, value: Any, place: Place, height: int) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.height = max(frame.height, height)
        if isinstance(frame.value, Seq):
            frame.value.add(value, place)
        elif frame.key is None:
            self._key(frame, value, place)
        else:
            self._entry(frame, frame.value, value, place)

    def _key(self, frame: _Frame, value: Any, place: Place) -> None:
        if not isinstance(value, str):
            shown = "a collection" if isinstance(value, Map | Seq | Tagged) else repr(value)
            _fail("E-YAML-SYNTAX", f"a key must be text, this is {shown}", place, next="put the key in quotes")
        if value in frame.value or (isinstance(value, _MergeKey) and frame.has_merge):
            _fail(
                "E-YAML-DUPLICATE",
                f"the key {shorten(value)!r} stands twice in the same mapping",
                place,
                why="one of the two would silently win",
                next="remove one, or join them",
            )
        frame.key, frame.key_place = value, place

    def _entry(self, frame: _Frame, target: Map, value: Any, place: Place) -> None:
        key = cast("str", frame.key)
        frame.key = None
        if not isinstance(key, _MergeKey):
            target.put(key, value, place, frame.key_place)
            return
        frame.has_merge = True
        sources = value if isinstance(value, Seq) else [value]
        if not all(isinstance(source, Map) for source in sources):
            _fail(
                "E-YAML-SYNTAX", "<< merges mappings only", place, next="name an anchor of a mapping, or a list of them"
            )
        frame.merges.extend(sources)


def _cast(value: Scalar, name: str, text: str, place: Place) -> Scalar:
    if not isinstance(value, _CASTS[name]) or (isinstance(value, bool) and name != "bool"):
        _fail("E-YAML-TAG", f"{shorten(text)!r} is not of the type !!{name}", place)
    return float(value) if name == "float" and isinstance(value, int) else value
