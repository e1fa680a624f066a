-- Starts the language server where it applies; gives the command and the keys. See :help keyside.
if vim.g.loaded_keyside then
  return
end
vim.g.loaded_keyside = true

-- Before anything else, so that a key that somebody has given to one of them types nothing.
require('keyside.maps').plug()

if not require('keyside.attach').is_new_enough() then
  vim.notify_once(
    'keyside: ghost text needs Neovim 0.11.4 or newer; this one is older, so the plugin stays off.',
    vim.log.levels.WARN
  )
  return
end

-- Here and not in lsp/keyside.lua, where a person's own handlers or on_attach would replace them.
vim.lsp.handlers['keyside/status'] = function(_, params, ctx)
  require('keyside').on_status(params, ctx)
end
vim.lsp.handlers['keyside/answer'] = function(_, params, ctx)
  require('keyside.answer').on_answer(params, ctx)
end
vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('keyside', {}),
  desc = 'keyside: ghost text in this buffer',
  callback = function(ev)
    local client = vim.lsp.get_client_by_id(ev.data.client_id)
    if client and client.name == 'keyside' then
      require('keyside.server').attached(client)
      require('keyside.sync').attach(ev.buf)
      require('keyside.ghost').attach(client, ev.buf)
      require('keyside.caret').attach(ev.buf)
    end
  end,
})
vim.lsp.enable('keyside')
-- Neovim starts a server at the event FileType, which a file without a filetype never gets.
vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufWritePost' }, {
  group = 'keyside',
  desc = 'keyside: ghost text in files without a filetype, and a word where the program is missing',
  callback = function(ev)
    vim.schedule(function()
      require('keyside.attach').without_filetype(ev.buf)
      if vim.api.nvim_buf_is_valid(ev.buf) then
        require('keyside.server').check_program(ev.buf)
      end
    end)
  end,
})

require('keyside.colours').attach()
require('keyside.macro').attach()
require('keyside.progress').attach()
vim.schedule(function()
  require('keyside.help').make_tags()
end)

vim.api.nvim_create_user_command('Keyside', function(args)
  require('keyside.command').run(args.args, args.range == 2 and { args.line1, args.line2 } or nil)
end, {
  nargs = '*',
  range = true,
  desc = 'keyside: status, enable, disable, toggle, snooze, restart, log; explain, refactor, fix, tests, document, ask, cancel',
  complete = function(lead, line)
    return require('keyside.command').complete(lead, line)
  end,
})
if require('keyside.options').get().default_maps then
  require('keyside.maps').defaults()
end
