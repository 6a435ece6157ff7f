"""Tree-sitter queries: definitions by kind, and the names that refer to something elsewhere.

Slimmer than the grammars' own `tags.scm` (no documentation, no predicates, one capture a pattern), so that
`captures()` suffices: it costs a quarter more than parsing, where `matches()` on `tags.scm` costs half as much again.
"""

from __future__ import annotations

__all__ = ["BUILTINS", "QUERIES"]

_PYTHON = """
(class_definition name: (identifier)) @class
(function_definition name: (identifier)) @function
(module (expression_statement (assignment left: (identifier)) @constant))
(call function: [(identifier) @ref (attribute attribute: (identifier) @ref)])
(class_definition superclasses: (argument_list [(identifier) @ref (attribute attribute: (identifier) @ref)]))
(decorator [(identifier) @ref (attribute attribute: (identifier) @ref)])
(import_from_statement name: (dotted_name (identifier) @ref))
(type (identifier) @ref)
"""
_JAVASCRIPT = """
(class_declaration name: (_)) @class
(function_declaration name: (identifier)) @function
(generator_function_declaration name: (identifier)) @function
(method_definition name: (property_identifier)) @method
(variable_declarator name: (identifier) value: [(arrow_function) (function_expression)]) @function
(program (export_statement (lexical_declaration (variable_declarator name: (identifier)) @constant)))
(call_expression function: [(identifier) @ref (member_expression property: (property_identifier) @ref)])
(new_expression constructor: (identifier) @ref)
(import_specifier name: (identifier) @ref)
"""
_JSX = """
(jsx_opening_element name: (identifier) @ref)
(jsx_self_closing_element name: (identifier) @ref)
"""
_TYPESCRIPT = (
    _JAVASCRIPT
    + """
(interface_declaration name: (type_identifier)) @interface
(type_alias_declaration name: (type_identifier)) @type
(enum_declaration name: (identifier)) @enum
(abstract_class_declaration name: (type_identifier)) @class
(type_identifier) @ref
"""
)
_GO = """
(function_declaration name: (identifier)) @function
(method_declaration name: (field_identifier)) @method
(type_spec name: (type_identifier)) @type
(source_file (const_declaration (const_spec name: (identifier)) @constant))
(source_file (var_declaration (var_spec name: (identifier)) @constant))
(call_expression function: [(identifier) @ref (selector_expression field: (field_identifier) @ref)])
(type_identifier) @ref
"""
_JAVA = """
(class_declaration name: (identifier)) @class
(record_declaration name: (identifier)) @class
(enum_declaration name: (identifier)) @enum
(interface_declaration name: (identifier)) @interface
(method_declaration name: (identifier)) @method
(constructor_declaration name: (identifier)) @method
(method_invocation name: (identifier) @ref)
(type_identifier) @ref
"""
_RUST = """
(struct_item name: (type_identifier)) @class
(enum_item name: (type_identifier)) @enum
(union_item name: (type_identifier)) @class
(trait_item name: (type_identifier)) @interface
(type_item name: (type_identifier)) @type
(function_item name: (identifier)) @function
(function_signature_item name: (identifier)) @function
(macro_definition name: (identifier)) @macro
(mod_item name: (identifier)) @module
(const_item name: (identifier)) @constant
(call_expression function: [
  (identifier) @ref
  (field_expression field: (field_identifier) @ref)
  (scoped_identifier name: (identifier) @ref)])
(macro_invocation macro: (identifier) @ref)
(type_identifier) @ref
"""
_RUBY = """
(class name: (_)) @class
(module name: (_)) @module
(method name: (_)) @method
(singleton_method name: (_)) @method
(assignment left: (constant)) @constant
(call method: (identifier) @ref)
(constant) @ref
"""
_PHP = """
(class_declaration name: (name)) @class
(interface_declaration name: (name)) @interface
(trait_declaration name: (name)) @interface
(enum_declaration name: (name)) @enum
(function_definition name: (name)) @function
(method_declaration name: (name)) @method
(function_call_expression function: [(name) @ref (qualified_name (name) @ref)])
(member_call_expression name: (name) @ref)
(scoped_call_expression scope: (name) @ref name: (name) @ref)
(object_creation_expression [(name) @ref (qualified_name (name) @ref)])
(named_type [(name) @ref (qualified_name (name) @ref)])
(base_clause (name) @ref)
"""

QUERIES: dict[str, str] = {
    "python": _PYTHON,
    "javascript": _JAVASCRIPT + _JSX,
    "typescript": _TYPESCRIPT,
    "tsx": _TYPESCRIPT + _JSX,
    "go": _GO,
    "java": _JAVA,
    "rust": _RUST,
    "ruby": _RUBY,
    "php": _PHP,
}

BUILTINS = frozenset(
    """
    abs all any append assert bool bytes callable cast close copy dict enumerate exit extend filter float format get
    getattr hasattr hash id import index init input insert int is isinstance issubclass items iter join keys len list
    log main make map max min new next not object open panic pop print println push range raise read replace repr
    require reversed round self set setattr slice sort sorted split staticmethod str string strip sum super test
    this toString tuple type update values vars write zip
    """.split()  # noqa: SIM905 -- a word list reads better as words
)
"""Names nearly every file uses or defines: they rank high and tell nothing."""
