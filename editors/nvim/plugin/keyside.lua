-- Starts the language server where it applies; gives the command and the keys. See :help keyside.
if vim.g.loaded_keyside then
  return
end
vim.g.loaded_keyside = true

if vim.fn.has('nvim-0.12') == 0 then
  vim.notify_once(
    'keyside: ghost text needs Neovim 0.12 or newer; this one is older, so the plugin stays off.',
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
      require('keyside.sync').attach(ev.buf)
      require('keyside.ghost').attach(client, ev.buf)
      require('keyside.caret').attach(ev.buf)
    end
  end,
})
vim.lsp.enable('keyside')

vim.api.nvim_create_user_command('Keyside', function(args)
  require('keyside').command(args.args, args.range == 2 and { args.line1, args.line2 } or nil)
end, {
  nargs = '*',
  range = true,
  desc = 'keyside: status, enable, disable, toggle, restart, log; explain, refactor, fix, tests, document, ask, cancel',
  complete = function(lead)
    return require('keyside').complete(lead)
  end,
})

-- <C-g>u: what was accepted can be undone by itself.
for name, unit in pairs({ accept = 'all', ['accept-word'] = 'word', ['accept-line'] = 'line' }) do
  local run = ([[<C-g>u<Cmd>lua require('keyside').accept('%s')<CR>]]):format(unit)
  local desc = ('keyside: accept the ghost text (%s)'):format(unit)
  vim.keymap.set('i', ('<Plug>(keyside-%s)'):format(name), run, { desc = desc })
end
if not vim.g.keyside_no_default_maps then
  require('keyside').map_tab()
end
