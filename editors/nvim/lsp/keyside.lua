-- How Neovim starts the server. Change any of it with vim.lsp.config('keyside', { … });
-- see :help keyside-config.
return {
  cmd = { 'keyside', 'serve' },
  -- One server for a repository, however many packages it holds: each keeps a model in memory.
  root_markers = { '.git', '.jj', '.hg', '.svn' },
  -- Code, and what is written beside it. Prose, mail and commit messages are left alone.
  filetypes = {
    'ada', 'asm', 'astro', 'awk', 'bash', 'bzl', 'c', 'clojure', 'cmake', 'cobol', 'conf',
    'cpp', 'crystal', 'cs', 'css', 'cuda', 'd', 'dart', 'dockerfile', 'dosbatch', 'elixir',
    'elm', 'erlang', 'eruby', 'fennel', 'fish', 'fortran', 'fsharp', 'gdscript', 'gdshader',
    'gleam', 'glsl', 'go', 'gomod', 'graphql', 'groovy', 'haskell', 'hcl', 'heex', 'html',
    'htmldjango', 'idris2', 'java', 'javascript', 'javascriptreact', 'jinja', 'json', 'json5',
    'jsonc', 'jsonnet', 'julia', 'just', 'kotlin', 'lean', 'less', 'lisp', 'lua', 'luau',
    'make', 'matlab', 'meson', 'mysql', 'nasm', 'nim', 'nix', 'objc', 'objcpp', 'ocaml',
    'octave', 'odin', 'pascal', 'perl', 'php', 'plsql', 'prolog', 'proto', 'ps1', 'puppet',
    'purescript', 'python', 'r', 'racket', 'raku', 'rescript', 'ruby', 'rust', 'scala',
    'scheme', 'scss', 'sh', 'sml', 'solidity', 'sql', 'starlark', 'svelte', 'swift',
    'systemverilog', 'tcl', 'teal', 'templ', 'terraform', 'tex', 'toml', 'twig', 'typescript',
    'typescriptreact', 'typst', 'v', 'vb', 'verilog', 'vhdl', 'vim', 'vue', 'wgsl', 'xml',
    'yaml', 'zig', 'zsh',
  },
  capabilities = {
    experimental = {
      keyside = {
        -- A cloud model's answer is shown while it is being written.
        answers = true,
        -- The server is told which suggestions are on the screen and what becomes of them, for
        -- `keyside usage`; not where this Neovim is another one than ghost.lua knows.
        events = require('keyside.ghost').at_once(),
      },
    },
  },
  -- What is asked before anything is sent.
  handlers = {
    ['window/showDocument'] = function(...)
      return require('keyside.consent').on_show_document(...)
    end,
    ['window/showMessageRequest'] = function(...)
      return require('keyside.consent').on_question(...)
    end,
  },
  -- The server's settings, in the shape of its config.toml. None: its defaults are its own affair.
  init_options = vim.empty_dict(),
  -- Long enough for a clean exit; a server that hangs is ended, and does not hold up quitting.
  exit_timeout = 500,
}
