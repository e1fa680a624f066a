; C, and what C++ has of it.

; Items, with what their heads do without. A function's name may stand behind stars.
(function_definition declarator: (function_declarator declarator: (_) @name) body: (_) @body) @item.function
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)) body: (_) @body) @item.function
(function_definition declarator: (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name))) body: (_) @body) @item.function
(declaration declarator: (function_declarator declarator: (identifier) @name)) @item.function
(declaration declarator: (pointer_declarator declarator: (function_declarator declarator: (identifier) @name))) @item.function
(struct_specifier name: (_) @name body: (_) @body) @item.type
(union_specifier name: (_) @name body: (_) @body) @item.type
(enum_specifier name: (_) @name body: (_) @body) @item.type
(type_definition declarator: (type_identifier) @name) @item.type
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @name)) @item.type
(type_definition declarator: (function_declarator declarator: (parenthesized_declarator (pointer_declarator declarator: (type_identifier) @name)))) @item.type
(preproc_def name: (_) @name value: (_)? @body) @item.macro
(preproc_function_def name: (_) @name) @item.macro
(translation_unit (declaration declarator: (init_declarator declarator: (identifier) @name value: (_) @body)) @item.constant)
(translation_unit (declaration declarator: (init_declarator declarator: (array_declarator declarator: (identifier) @name) value: (_) @body)) @item.constant)

(type_definition type: (_) @inner) @around

; What belongs to the item that follows.
(comment) @lead

; What binds a name.
(parameter_declaration declarator: (identifier) @definition.name)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @definition.name))
(parameter_declaration declarator: (array_declarator declarator: (identifier) @definition.name))
(pointer_declarator declarator: (identifier) @definition.name)
(array_declarator declarator: (identifier) @definition.name)
(init_declarator declarator: (identifier) @definition.name)
(declaration declarator: (identifier) @definition.name)
(enumerator name: (identifier) @definition.name)

; What uses one: names and types.
(identifier) @reference.name
(type_identifier) @reference.name
