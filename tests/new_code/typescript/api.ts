export interface Ticket {
  id: number;
  title: string;
  status: TicketStatus;
  assignee: string | null;
  labels: string[];
  createdAt: string;
}

export type TicketStatus = "open" | "in_progress" | "closed";

export interface TicketFilter {
  status?: TicketStatus;
  assignee?: string;
  label?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export async function fetchTickets(filter: TicketFilter = {}): Promise<Ticket[]> {
  const query = new URLSearchParams(filter as Record<string, string>);
  const response = await fetch(`/api/tickets?${query}`);
  if (!response.ok) {
    throw new ApiError(response.status, `tickets can't be read: ${response.statusText}`);
  }
  return response.json();
}
