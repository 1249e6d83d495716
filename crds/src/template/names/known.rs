//! Every name that templates have. A test compares them with the template engine.

/// Functions of the template language.
pub(super) const FUNCTIONS: [&str; 2] = ["range", "dict"];
/// Functions of the template engine that templates do not have: `namespace` can hold itself, which no destructor and no
/// printing survives, and `debug` writes every variable.
pub(in crate::template) const REMOVED: [&str; 2] = ["namespace", "debug"];
/// In a recursive loop it is called like a function.
pub(super) const LOOP: &str = "loop";
/// The only methods there are.
pub(super) const LOOP_METHODS: [&str; 2] = ["cycle", "changed"];

/// Whether a name stands for a function, although it reads like a variable.
pub(in crate::template) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name) || name == LOOP
}

/// What follows `|`.
pub(super) const FILTERS: [&str; 47] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// What follows `is`.
pub(super) const TESTS: [&str; 42] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Methods of Python's values that authors expect, and what templates have instead.
pub(super) const METHODS: [(&str, &str); 20] = [
    ("capitalize", "| capitalize"),
    ("count", "| length"),
    ("endswith", "is endingwith(…)"),
    ("format", "| format(…)"),
    ("get", "[…] | default(…)"),
    ("items", "| items"),
    ("join", "| join(…)"),
    ("keys", "| list"),
    ("lower", "| lower"),
    ("lstrip", "| trim"),
    ("replace", "| replace(…)"),
    ("reverse", "| reverse"),
    ("rstrip", "| trim"),
    ("sort", "| sort"),
    ("split", "| split(…)"),
    ("splitlines", "| lines"),
    ("startswith", "is startingwith(…)"),
    ("strip", "| trim"),
    ("title", "| title"),
    ("upper", "| upper"),
];
