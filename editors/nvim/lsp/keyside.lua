-- How Neovim starts the server. Change any of it with vim.lsp.config('keyside', { … });
-- see :help keyside-config.
return {
  cmd = { 'keyside', 'serve' },
  -- Every ordinary file; vim.g.keyside.exclude names the filetypes that are left alone. A list of
  -- your own, `filetypes = { … }`, makes it these alone.
  root_dir = function(...)
    return require('keyside.attach').root_dir(...)
  end,
  capabilities = {
    -- Neovim 0.11 does not have it by itself.
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = {
      keyside = {
        -- A cloud model's answer is shown while it is being written.
        answers = true,
        -- The server is told which suggestions are on the screen and what becomes of them, for
        -- `keyside usage`; not where this Neovim is another one than ghost.lua knows.
        events = require('keyside.ghost').at_once(),
        -- The server says when its state changes.
        status = true,
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
  -- A server that ends by itself is started again.
  on_exit = function(...)
    require('keyside.server').on_exit(...)
  end,
  -- The server's settings, in the shape of its config.toml. None: its defaults are its own affair.
  init_options = vim.empty_dict(),
  -- Long enough for a clean exit; a server that hangs is ended, and does not hold up quitting.
  exit_timeout = 500,
  -- The same by its name in Neovim 0.11.
  flags = vim.lsp.inline_completion == nil and { exit_timeout = 500 } or nil,
}
