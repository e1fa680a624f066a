--- The :Keyside command.
local M = {}
local switch = require('keyside.switch')

local function clients(bufnr)
  return vim.lsp.get_clients({ name = 'keyside', bufnr = bufnr })
end

local levels = { 'quiet', 'balanced', 'eager' }

local function fail(text)
  vim.notify('keyside: ' .. text, vim.log.levels.ERROR)
end

--- Switches a buffer or a language; the server itself, and with it everything, where no scope is
--- named.
---@param scope string
---@param choose fun(is_on: boolean): boolean
local function set(scope, choose)
  if scope == 'buffer' then
    switch.set_buffer(vim.api.nvim_get_current_buf(), choose(switch.is_on('buffer')))
  elseif scope == 'language' then
    if vim.bo.filetype == '' then
      return fail('this buffer has no filetype; :Keyside disable buffer')
    end
    switch.set_language(vim.bo.filetype, choose(switch.is_on('language')))
  elseif scope == '' then
    vim.lsp.enable('keyside', choose(vim.lsp.is_enabled('keyside')))
  else
    fail(('%q is neither "buffer" nor "language"'):format(scope))
  end
end

--- What `:lsp restart` does, for Neovim 0.11, which does not have it.
local function stop_and_start()
  vim.lsp.enable('keyside', false)
  local n_looks = 0
  local function look()
    n_looks = n_looks + 1
    if #clients() == 0 then
      return vim.lsp.enable('keyside')
    elseif n_looks == 10 then
      -- It hangs.
      for _, client in ipairs(clients()) do
        client:stop(true)
      end
    end
    vim.defer_fn(look, 50)
  end
  look()
end

local subcommands = {
  status = function()
    local keyside = require('keyside')
    local bufnr = vim.api.nvim_get_current_buf()
    local client = clients(bufnr)[1]
    local version = client and client.server_info and client.server_info.version
    local name = version and 'keyside ' .. version or 'keyside'
    local why = keyside.why_nothing(bufnr)
    if why then
      print(('%s: %s'):format(name, why))
      return
    end
    print(('%s: %s %s'):format(name, keyside.status()))
  end,
  enable = function(scope)
    set(scope, function()
      return true
    end)
  end,
  disable = function(scope)
    set(scope, function()
      return false
    end)
  end,
  toggle = function(scope)
    set(scope, function(is_on)
      return not is_on
    end)
  end,
  snooze = function(minutes)
    local n = tonumber(minutes)
    if minutes == '' then
      n = require('keyside.options').get().snooze_minutes
    elseif minutes == 'off' then
      n = 0
    end
    if not n or n < 0 or n > 24 * 60 then
      return fail(('%q is no number of minutes up to 1440; or "off"'):format(minutes))
    end
    switch.snooze(n)
  end,
  level = function(level)
    if not vim.tbl_contains(levels, level) then
      return fail(('%q is no level; quiet, balanced or eager'):format(level))
    end
    local settings = { keyside = { completion = { level = level } } }
    -- For servers that start later in this session, too.
    vim.lsp.config('keyside', { settings = settings })
    for _, client in ipairs(clients()) do
      client.settings = vim.tbl_deep_extend('force', client.settings, settings)
      client:notify('workspace/didChangeConfiguration', { settings = client.settings })
    end
  end,
  restart = function()
    require('keyside.server').reset()
    if #clients() > 0 and vim.fn.exists(':lsp') == 2 then
      vim.cmd('lsp restart keyside')
    elseif #clients() > 0 then
      stop_and_start()
    else
      vim.lsp.enable('keyside')
    end
  end,
  log = function()
    vim.cmd.split(vim.fn.fnameescape(vim.lsp.log.get_filename()))
  end,
}

for _, action in ipairs({ 'explain', 'refactor', 'fix', 'tests', 'document', 'ask', 'cancel' }) do
  subcommands[action] = function(rest, lines)
    local client = clients(vim.api.nvim_get_current_buf())[1]
    if not client then
      return fail('not attached to this buffer')
    end
    require('keyside.answer').run(client, action, rest, lines)
  end
end

local arguments = {
  enable = { 'buffer', 'language' },
  disable = { 'buffer', 'language' },
  toggle = { 'buffer', 'language' },
  snooze = { '5', '10', '30', '60', 'off' },
  level = levels,
}

---@param lead string what is typed of the word
---@param line? string the command line
function M.complete(lead, line)
  local first = (line or ''):match('Keyside!?%s+(%S+)%s')
  local names = first and (arguments[first] or {}) or vim.tbl_keys(subcommands)
  names = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names)
  if not first then
    table.sort(names)
  end
  return names
end

---@param words string the subcommand and what follows it
---@param lines? {[1]: integer, [2]: integer} the command's range
function M.run(words, lines)
  local name, rest = words:match('^(%S*)%s*(.*)$')
  local run = subcommands[name == '' and 'status' or name]
  if not run then
    local known = table.concat(M.complete(''), ', ')
    return fail(('no subcommand %q; there are: %s'):format(name, known))
  end
  run(rest, lines)
end

return M
