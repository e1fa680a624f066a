; Items, with what their heads do without.
(function_item name: (_) @name body: (block) @body) @item.function
(function_signature_item name: (_) @name) @item.function
(struct_item name: (_) @name body: (_)? @body) @item.type
(enum_item name: (_) @name body: (_) @body) @item.type
(union_item name: (_) @name body: (_) @body) @item.type
(type_item name: (_) @name) @item.type
(trait_item name: (_) @name body: (_) @body) @item.type
(impl_item type: (_) @name body: (_) @body) @item.implementation
(const_item name: (_) @name value: (_)? @body) @item.constant
(static_item name: (_) @name value: (_)? @body) @item.constant
(mod_item name: (_) @name body: (_)? @body) @item.module
(macro_definition name: (_) @name) @item.macro

; What belongs to the item that follows.
[(line_comment) (block_comment) (attribute_item)] @lead

; What binds a name.
(parameter pattern: (identifier) @definition.name)
(parameter pattern: (mut_pattern (identifier) @definition.name))
(closure_parameters (identifier) @definition.name)
(let_declaration pattern: (identifier) @definition.name)
(let_declaration pattern: (mut_pattern (identifier) @definition.name))
(for_expression pattern: (identifier) @definition.name)
(tuple_pattern (identifier) @definition.name)
(slice_pattern (identifier) @definition.name)
(tuple_struct_pattern type: (_) (identifier) @definition.name)
(ref_pattern (identifier) @definition.name)
(reference_pattern (identifier) @definition.name)
(captured_pattern . (identifier) @definition.name)
(shorthand_field_identifier) @definition.name
(field_pattern pattern: (identifier) @definition.name)
((match_pattern . (identifier) @definition.name) (#match? @definition.name "^[a-z_]"))
(type_parameter name: (type_identifier) @definition.name)
(const_parameter name: (identifier) @definition.name)
(associated_type name: (type_identifier) @definition.name)
((type_identifier) @definition.name (#eq? @definition.name "Self"))

; What uses one: names, types, and methods where they are called.
(identifier) @reference.name
(type_identifier) @reference.name
(call_expression function: (field_expression field: (field_identifier) @reference.name))
