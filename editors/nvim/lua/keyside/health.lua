--- `:checkhealth keyside`: what stands between this Neovim and ghost text.
local M = {}
local health = vim.health or require('health')

function M.check()
  if not require('keyside.attach').is_new_enough() then
    local report_error = health.error or health.report_error
    report_error('This Neovim is too old for keyside: install Neovim 0.11.4 or newer.')
    return
  end
  health.start('keyside')
  health.ok('Neovim ' .. tostring(vim.version()))
  if not vim.lsp.inline_completion then
    health.ok('this Neovim has no inline completion of its own; the plugin draws ghost text itself')
  end

  local cmd = vim.lsp.config.keyside.cmd
  if type(cmd) == 'function' then
    health.ok('the server is started by a function in the configuration')
  elseif vim.fn.executable(cmd[1]) == 0 then
    health.error(
      cmd[1] .. ' is not executable',
      "Put it on $PATH, or: vim.lsp.config('keyside', { cmd = { '/path/to/keyside', 'serve' } })"
    )
  else
    local ok, run = pcall(function()
      return vim.system({ cmd[1], '--version' }, { text = true, timeout = 5000 }):wait()
    end)
    if ok and run.code == 0 then
      health.ok(vim.fn.exepath(cmd[1]) .. ': ' .. vim.trim(run.stdout))
    else
      local why = ok and vim.trim(run.stderr) or run
      health.error(vim.fn.exepath(cmd[1]) .. ' --version failed', why)
    end
  end

  if not vim.lsp.is_enabled('keyside') then
    health.warn('the server is disabled', ':Keyside enable')
    return
  end
  local clients = vim.lsp.get_clients({ name = 'keyside' })
  if #clients == 0 then
    health.warn('no server is running', {
      'One starts with a file whose filetype is in vim.lsp.config.keyside.filetypes.',
      'After a crash: :Keyside restart, and :Keyside log for what it said.',
    })
  end
  for _, client in ipairs(clients) do
    local state, message = require('keyside').status(client.id)
    local is_odd = state == 'off' or message:find('suggests instead', 1, true)
    local report = state == 'error' and health.error or is_odd and health.warn or health.ok
    report(('client %d: %s %s'):format(client.id, state, message))
    if not client:supports_method('textDocument/inlineCompletion') then
      local lacks = ('client %d does not offer inline completion'):format(client.id)
      health.error(lacks, 'Update the server.')
    end
  end
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    local is_text = vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].buftype == ''
    if is_text and vim.bo[bufnr].buflisted then
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.')
      local why = require('keyside').why_nothing(bufnr)
      if why then
        health.warn(('buffer %d (%s): %s'):format(bufnr, name, why))
      else
        health.ok(('buffer %d (%s): ghost text is on'):format(bufnr, name))
      end
    end
  end

  if require('keyside.ghost').at_once() then
    health.ok('ghost text is asked for at every key')
  else
    health.warn('ghost text comes at the pace of this Neovim, which the plugin does not know', {
      'Update the plugin.',
    })
  end
end

return M
