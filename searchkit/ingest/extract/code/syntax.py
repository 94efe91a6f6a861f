"""Parses source code by its grammar: finds the rows where definitions begin and end, and the path of names to each.

Grammars are loaded with the first file of their language. Knows no blocks: source.py cuts the text at the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LARGE = 1500  # characters from which a class is cut at its members, and loose statements at blank lines
_LONGEST_NAME = 120
_MISREAD = 0.02  # of the source; beyond it, blank lines are the better guide


@dataclass(frozen=True, slots=True)
class Cut:
    """A row, counted from 0, from which the text is under these names."""

    row: int
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Grammar:
    """A grammar's module, and the node types that define something, with the word before the name."""

    module: str
    words: Mapping[str, str]
    holders: frozenset[str] = frozenset()  # definitions with members
    function: str = "language"


def _grammar(module: str, holders: str, others: str, function: str = "language") -> _Grammar:
    """Node types as "type=word type=word", _ for a blank in a word."""
    words = {name: word for name, _, word in (item.partition("=") for item in f"{holders} {others}".split())}
    return _Grammar(module, words, frozenset(item.partition("=")[0] for item in holders.split()), function)


_JS = "function_declaration=function generator_function_declaration=function method_definition="
_TS_HOLDERS = "class_declaration=class abstract_class_declaration=class internal_module=namespace module=module"
_TS = (
    _JS
    + " interface_declaration=interface type_alias_declaration=type enum_declaration=enum function_signature=function"
)
_C_HOLDERS = "struct_specifier=struct union_specifier=union"
_GRAMMARS = {
    "python": _grammar("tree_sitter_python", "class_definition=class", "function_definition=def"),
    "javascript": _grammar("tree_sitter_javascript", "class_declaration=class", _JS),
    "typescript": _grammar("tree_sitter_typescript", _TS_HOLDERS, _TS, "language_typescript"),
    "tsx": _grammar("tree_sitter_typescript", _TS_HOLDERS, _TS, "language_tsx"),
    "java": _grammar(
        "tree_sitter_java",
        "class_declaration=class interface_declaration=interface enum_declaration=enum record_declaration=record"
        " annotation_type_declaration=@interface",
        "method_declaration= constructor_declaration= compact_constructor_declaration=",
    ),
    "c": _grammar("tree_sitter_c", _C_HOLDERS, "function_definition= enum_specifier=enum type_definition=typedef"),
    "cpp": _grammar(
        "tree_sitter_cpp",
        f"{_C_HOLDERS} class_specifier=class namespace_definition=namespace",
        "function_definition= enum_specifier=enum type_definition=typedef concept_definition=concept",
    ),
    "go": _grammar("tree_sitter_go", "", "function_declaration=func method_declaration=func type_declaration=type"),
    "rust": _grammar(
        "tree_sitter_rust",
        "trait_item=trait impl_item=impl mod_item=mod",
        "function_item=fn function_signature_item=fn struct_item=struct enum_item=enum union_item=union"
        " macro_definition=macro_rules!",
    ),
    "ruby": _grammar(
        "tree_sitter_ruby", "class=class module=module singleton_class=class", "method=def singleton_method=def"
    ),
    "php": _grammar(
        "tree_sitter_php",
        "class_declaration=class interface_declaration=interface trait_declaration=trait enum_declaration=enum"
        " namespace_definition=namespace",
        "function_definition=function method_declaration=function",
        "language_php",
    ),
    "csharp": _grammar(
        "tree_sitter_c_sharp",
        "namespace_declaration=namespace class_declaration=class struct_declaration=struct record_declaration=record"
        " interface_declaration=interface",
        "enum_declaration=enum delegate_declaration=delegate method_declaration= constructor_declaration="
        " destructor_declaration=~ property_declaration= indexer_declaration= operator_declaration=operator"
        " local_function_statement=",
    ),
    "bash": _grammar("tree_sitter_bash", "", "function_definition="),
}
# Nodes around a definition, and nodes around many that name nothing.
_WRAPPERS = frozenset(("decorated_definition", "export_statement", "template_declaration", "ambient_declaration"))
_TRANSPARENT = frozenset(
    "preproc_ifdef preproc_if preproc_else preproc_elif linkage_specification declaration_list enum_body_declarations"
    " statement_block global_statement".split()
)
_ATTACHED = frozenset(
    "comment line_comment block_comment attribute_item inner_attribute_item attribute attribute_list decorator"
    " doc_comment".split()
)
_FUNCTIONS = frozenset(
    "arrow_function function_expression generator_function class function class_expression object".split()
)


def cuts(languages: Sequence[str], source: bytes) -> list[Cut] | None:
    """The cuts of UTF-8 source in order of rows, by the grammar that explains most of it.

    None if no grammar does, or none is installed (extra [code]).

    Macros of C, or a line of another version of the language, are small errors that leave the definitions in place.
    """
    best: tuple[int, list[Cut] | None] = (int(_MISREAD * len(source)) + 1, None)
    for language in languages:
        parser = _parser(language)
        if parser is None:
            continue
        root = parser.parse(source).root_node
        misread = _misread(root) if root.has_error else 0
        if misread < best[0]:
            best = (misread, list(_Walk(_GRAMMARS[language]).cuts(root, ())))
        if not misread:
            break
    return best[1]


def _misread(root: Node) -> int:
    """Count the bytes that the grammar skipped or had to invent."""
    total, pending = 0, [root]
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            total += max(1, node.end_byte - node.start_byte)
        elif node.has_error:
            pending += node.children
    return total


@cache
def _parser(language: str) -> Parser | None:
    grammar = _GRAMMARS[language]
    try:
        from tree_sitter import Language, Parser

        module = import_module(grammar.module)
    except ModuleNotFoundError:
        return None
    return Parser(Language(getattr(module, grammar.function)()))


@dataclass(slots=True)
class _Lead:
    """The comments and attributes on the rows right above the next node."""

    start: int = -1
    end: int = -2

    def take(self, first: int, last: int) -> None:
        if first > self.end + 1:
            self.start = first
        self.end = last

    def start_of(self, row: int) -> int:
        """The row where a node that begins at `row` begins with its comments."""
        return self.start if row <= self.end + 1 else row


@dataclass(slots=True)
class _Walk:
    """Goes through siblings in order. Rows that two nodes share are not divided, so that every row has one place."""

    grammar: _Grammar
    free: int = 0  # the first row that no node before covers
    cut: int = 0  # the byte of the last cut

    def cuts(self, parent: Node, path: tuple[str, ...]) -> Iterator[Cut]:
        """Cut inside a node that is under `path`, and after the definitions in it."""
        lead, returns = _Lead(), False
        for node in parent.named_children:
            first, last = node.start_point.row, _last_row(node)
            is_free = first >= self.free
            if node.type in _ATTACHED:
                if is_free:
                    lead.take(first, last)
                continue
            start = max(lead.start_of(first), self.free)
            name = self._name(node) if is_free else ""
            if returns and is_free and not name:
                yield Cut(start, path)
                self.cut, returns = node.start_byte, False
            elif is_free and not name and start > self.free and node.start_byte - self.cut > LARGE:
                yield Cut(start, path)
                self.cut = node.start_byte
            if name:
                yield Cut(start, (*path, name))
                self.cut, returns = node.start_byte, True
                yield from self._members(node, (*path, name))
            elif node.type in _TRANSPARENT:
                yield from self.cuts(node, path)
            self.free = max(self.free, last + 1)
        if returns:
            yield Cut(self.free, path)
            self.cut = parent.end_byte

    def _members(self, node: Node, path: tuple[str, ...]) -> Iterator[Cut]:
        inner = _unwrapped(node)
        body = inner.child_by_field_name("body") or next(
            (child for child in inner.named_children if child.type in ("declaration_list", "body_statement")), None
        )
        if body is not None and inner.type in self.grammar.holders and node.end_byte - node.start_byte > LARGE:
            self.free = max(self.free, node.start_point.row + 1)
            yield from self.cuts(body, path)

    def _name(self, node: Node) -> str:
        """The definition that a node makes, such as "class Boiler"; "" if it makes none."""
        inner = _unwrapped(node)
        if inner.type in ("lexical_declaration", "variable_declaration", "expression_statement"):
            return self._assigned(inner)
        if inner.type not in self.grammar.words:
            return ""
        if inner.type.endswith("_specifier") and inner.child_by_field_name("body") is None:
            return ""
        name = " ".join(f"{self.grammar.words[inner.type]} {_own_name(inner)}".split())
        return name[:_LONGEST_NAME]

    def _assigned(self, node: Node) -> str:
        """Functions, classes and objects that get their name by assignment, as JavaScript has them."""
        target = node.named_children[0] if node.named_children else None
        if target is not None and target.type in self.grammar.words:  # a namespace of TypeScript is an expression
            return " ".join(f"{self.grammar.words[target.type]} {_own_name(target)}".split())[:_LONGEST_NAME]
        if target is None or target.type not in ("variable_declarator", "assignment_expression"):
            return ""
        value = target.child_by_field_name("value") or target.child_by_field_name("right")
        name = target.child_by_field_name("name") or target.child_by_field_name("left")
        if value is None or name is None or value.type not in _FUNCTIONS or value.start_point.row == _last_row(value):
            return ""
        return _text(name)[:_LONGEST_NAME]


def _last_row(node: Node) -> int:
    """The last row with characters of a node; a line end at its end does not count."""
    return max(node.start_point.row, node.end_point.row - (node.end_point.column == 0))


def _unwrapped(node: Node) -> Node:
    """The definition inside decorators, exports and templates."""
    while node.type in _WRAPPERS or (node.type == "expression_statement" and _is_namespace(node)):
        inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        if inner is None:
            if not node.named_children:
                return node
            inner = node.named_children[-1]
        node = inner
    return node


def _is_namespace(node: Node) -> bool:
    return bool(node.named_children) and node.named_children[0].type == "internal_module"


def _own_name(node: Node) -> str:
    """The name as written, with the type that a method or an implementation is for."""
    if node.type == "impl_item":
        trait, kind = node.child_by_field_name("trait"), node.child_by_field_name("type")
        return " for ".join(_text(part) for part in (trait, kind) if part is not None)
    if node.type == "type_declaration":
        return ", ".join(_own_name(spec) for spec in node.named_children if spec.child_by_field_name("name"))
    if node.type == "singleton_method":
        return f"{_text(node.child_by_field_name('object'))}.{_text(node.child_by_field_name('name'))}"
    receiver = node.child_by_field_name("receiver")
    name = node.child_by_field_name("name")
    if name is not None:
        return f"{_text(receiver)} {_text(name)}" if receiver is not None else _text(name)
    return _declared_name(node)


def _declared_name(node: Node) -> str:
    """Find the name in C's declarators: of pointers, of functions, of arrays."""
    inner = node.child_by_field_name("declarator")
    while inner is not None and (deeper := inner.child_by_field_name("declarator")) is not None:
        inner = deeper
    return _text(inner).split("(")[0]


def _text(node: Node | None) -> str:
    return " ".join((node.text or b"").decode("utf-8", "replace").split()) if node is not None else ""
