--- What a person is told of the program where it can't be started, has another version or ends by
--- itself; and that it is started again.
local M = {}

--- Versions of the program that the plugin works with begin like this.
M.VERSION = '0.1.'
local MAX_RESTARTS = 5
local WITHIN_MS = 3 * 60 * 1000
--- The signal by which Neovim ends a server that does not exit when it is asked to.
local SIGTERM = 15

--- When the server was started again, in milliseconds of `vim.uv.now()`.
local restarts = {} ---@type integer[]
local fault ---@type string?

--- Why there is no server, as a sentence with what to do; nil where that is not known.
---@return string?
function M.fault()
  return fault
end

--- A person starts it anew: what was counted is forgotten.
function M.reset()
  restarts, fault = {}, nil
end

---@param sentence string
local function tell(sentence)
  if fault ~= sentence then
    fault = sentence
    vim.notify('keyside: ' .. sentence, vim.log.levels.ERROR)
    vim.cmd.redrawstatus({ bang = true })
  end
end

--- Neovim says nothing where the program of a server is missing.
---@param bufnr integer a file in which the server should be at work
function M.check_program(bufnr)
  if not vim.lsp.is_enabled('keyside') or not require('keyside.attach').is_file(bufnr) then
    return
  end
  local cmd = vim.lsp.config.keyside.cmd
  if type(cmd) ~= 'table' or vim.fn.executable(cmd[1]) == 1 then
    return
  end
  tell(
    ('%s is missing, or may not be executed; put it on $PATH, or name it in vim.lsp.config: see :help keyside-config'):format(
      cmd[1]
    )
  )
end

--- A server has answered for the first time in a buffer.
---@param client vim.lsp.Client
function M.attached(client)
  fault = nil
  local version = (client.server_info or {}).version or ''
  if not vim.startswith(version, M.VERSION) then
    vim.notify_once(
      ('keyside: the program has version %s, and this plugin is for %sx; update the older one'):format(
        version == '' and 'unknown' or version,
        M.VERSION
      ),
      vim.log.levels.WARN
    )
  end
end

--- Attaches a new server to every file, once the old one is gone.
---@param client_id integer
local function start_again(client_id)
  if vim.lsp.get_client_by_id(client_id) then
    vim.defer_fn(function()
      start_again(client_id)
    end, 20)
    return
  end
  if not vim.lsp.is_enabled('keyside') then
    return
  end
  vim.lsp.enable('keyside')
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    require('keyside.attach').without_filetype(bufnr)
  end
end

--- The `on_exit` of the client.
---@param code integer
---@param signal integer
---@param client_id integer
function M.on_exit(code, signal, client_id)
  local is_told_to = signal == SIGTERM or (code == 0 and signal == 0)
  if is_told_to then
    return
  end
  local client = vim.lsp.get_client_by_id(client_id)
  local was_ready = client and client.initialized
  vim.schedule(function()
    if vim.v.exiting ~= vim.NIL then
      return
    elseif not was_ready then
      return tell(
        ('the program ended with exit code %d before it was ready; :Keyside log may say why'):format(
          code
        )
      )
    end
    local now = vim.uv.now()
    restarts = vim.tbl_filter(function(at)
      return now - at < WITHIN_MS
    end, restarts)
    if #restarts == MAX_RESTARTS then
      return tell(
        'the server ended six times in three minutes and is not started again; :Keyside log may say why, :Keyside restart starts it'
      )
    end
    table.insert(restarts, now)
    start_again(client_id)
  end)
end

return M
