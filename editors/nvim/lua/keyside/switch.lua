--- Quiet for a while: in one buffer, in one language, or everywhere until some time. For this
--- session; what is to last is the server's setting `completion.disabled_languages`, or the option
--- `exclude`.
local M = {}

local languages = {} ---@type table<string, boolean> by filetype
local snooze_timer ---@type uv.uv_timer_t?
local snoozed_until ---@type integer? in seconds of the clock

--- Called when ghost text may have to go, or may come.
---@type fun()[]
local listeners = {}

---@param listener fun()
function M.on_change(listener)
  table.insert(listeners, listener)
end

local function changed()
  for _, listener in ipairs(listeners) do
    listener()
  end
  vim.cmd.redrawstatus({ bang = true })
end

--- Why nothing is suggested in a buffer, as a sentence with its remedy; nil where it is on.
---@param bufnr integer
---@return string?
function M.why_off(bufnr)
  local filetype = vim.bo[bufnr].filetype
  if vim.b[bufnr].keyside_off then
    return 'switched off in this buffer; :Keyside enable buffer'
  elseif languages[filetype] then
    return ('switched off for %s; :Keyside enable language'):format(filetype)
  elseif snoozed_until then
    local at = os.date('%H:%M', snoozed_until)
    return ('snoozed until %s; :Keyside snooze off'):format(at)
  end
end

---@param bufnr integer
---@param is_on boolean
function M.set_buffer(bufnr, is_on)
  vim.b[bufnr].keyside_off = not is_on and true or nil
  changed()
end

---@param filetype string
---@param is_on boolean
function M.set_language(filetype, is_on)
  languages[filetype] = not is_on and true or nil
  changed()
end

---@param scope 'buffer'|'language'
---@return boolean is_on
function M.is_on(scope)
  if scope == 'buffer' then
    return not vim.b.keyside_off
  end
  return not languages[vim.bo.filetype]
end

--- Is quiet for some minutes; ends the snooze where there are none.
---@param minutes number
function M.snooze(minutes)
  if snooze_timer then
    snooze_timer:stop()
  end
  snoozed_until = nil
  if minutes > 0 then
    snoozed_until = os.time() + math.ceil(minutes * 60)
    snooze_timer = snooze_timer or vim.uv.new_timer()
    snooze_timer:start(math.ceil(minutes * 60000), 0, function()
      snoozed_until = nil
      vim.schedule(changed)
    end)
  end
  changed()
end

return M
