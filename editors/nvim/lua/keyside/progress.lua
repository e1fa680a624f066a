--- A cloud answer on its way: what is happening stands above the answer, or below in the line of
--- messages, until it is over.
local M = {}
local api = vim.api

---@class keyside.Progress
---@field title string
---@field message string

local running = {} ---@type table<string, keyside.Progress> by client and token

--- What is under way, in one line; '' where nothing is.
---@return string
function M.line()
  local _, it = next(running)
  if not it then
    return ''
  end
  local line = it.message == '' and it.title or it.title .. ': ' .. it.message
  return (line:gsub('[%c%%]', ' '))
end

--- What stands above an answer while it is being written, as 'winbar' wants it.
---@param key string by client and token
---@return string
function M.winbar(key)
  local it = running[key]
  return it and it.message:gsub('[%c%%]', ' ') .. '  (:Keyside cancel)%<' or ''
end

local is_echoed = false

local function show(key)
  local window = require('keyside.answer').window(key)
  if window then
    vim.wo[window][0].winbar = M.winbar(key)
  end
  local line = window and '' or M.line()
  -- Messages are for a person who waits; not for one who types.
  if (line ~= '' or is_echoed) and api.nvim_get_mode().mode == 'n' then
    is_echoed = line ~= ''
    api.nvim_echo({ { vim.fn.strcharpart(line, 0, math.max(20, vim.o.columns - 14)) } }, false, {})
  end
  vim.cmd.redrawstatus({ bang = true })
end

function M.on_progress(params, client_id)
  local key = client_id .. ':' .. params.token
  local value = params.value or {}
  if value.kind == 'end' then
    running[key] = nil
  else
    local it = running[key] or { title = '', message = '' }
    it.title = 'keyside: ' .. (value.title or it.title:gsub('^keyside: ', ''))
    it.message = value.message or it.message
    running[key] = it
  end
  show(key)
end

function M.attach()
  local group = api.nvim_create_augroup('keyside:progress', {})
  api.nvim_create_autocmd('LspProgress', {
    group = group,
    callback = function(ev)
      local client = vim.lsp.get_client_by_id(ev.data.client_id)
      if client and client.name == 'keyside' then
        M.on_progress(ev.data.params, client.id)
      end
    end,
  })
  -- A server that is gone writes nothing more.
  api.nvim_create_autocmd('LspDetach', {
    group = group,
    callback = function(ev)
      local client = vim.lsp.get_client_by_id(ev.data.client_id)
      if client and not client:is_stopped() then
        return
      end
      for key in pairs(running) do
        if vim.startswith(key, ev.data.client_id .. ':') then
          running[key] = nil
        end
      end
    end,
  })
end

return M
