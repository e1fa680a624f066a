-- How Neovim starts the server. Change any of it with vim.lsp.config('keyside', { … }); see :help keyside-config.
return {
  cmd = { 'keyside', 'serve' },
  -- One server for a repository, however many packages it holds: each server keeps a model in memory.
  root_markers = { '.git', '.jj', '.hg', '.svn' },
  -- Ghost text in code and in what is written beside it. Prose, mail and commit messages are left alone.
  filetypes = {
    'ada', 'astro', 'awk', 'bash', 'bzl', 'c', 'clojure', 'cmake', 'cobol', 'common-lisp', 'conf', 'cpp', 'crystal', 'cs', 'css',
    'cuda', 'd', 'dart', 'dockerfile', 'elixir', 'elm', 'erlang', 'fennel', 'fish', 'fortran', 'fsharp', 'gdscript', 'gleam', 'glsl',
    'go', 'gomod', 'graphql', 'groovy', 'haskell', 'hcl', 'heex', 'hlsl', 'html', 'htmldjango', 'java', 'javascript',
    'javascriptreact', 'json', 'json5', 'jsonc', 'julia', 'just', 'kotlin', 'lean', 'less', 'lisp', 'lua', 'luau', 'make', 'matlab',
    'meson', 'mysql', 'nim', 'nix', 'objc', 'objcpp', 'ocaml', 'octave', 'odin', 'pascal', 'perl', 'php', 'plsql', 'powershell',
    'prolog', 'proto', 'ps1', 'puppet', 'purescript', 'python', 'r', 'racket', 'raku', 'reason', 'rescript', 'ruby', 'rust', 'scala',
    'scheme', 'scss', 'sh', 'solidity', 'sql', 'svelte', 'swift', 'systemverilog', 'tcl', 'teal', 'templ', 'terraform', 'tex', 'toml',
    'tsx', 'typescript', 'typescriptreact', 'typst', 'v', 'verilog', 'vhdl', 'vim', 'vue', 'wgsl', 'xml', 'yaml', 'zig', 'zsh',
  },
  -- The server's settings, in the shape of its config.toml. None here: what it does by default is its own to say.
  init_options = vim.empty_dict(),
  -- Long enough for a clean exit; a server that hangs does not hold up quitting, and is ended.
  exit_timeout = 500,
}
