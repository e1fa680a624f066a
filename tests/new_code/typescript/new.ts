import { ApiError, fetchTickets, type Ticket, type TicketFilter, type TicketStatus } from "./api";

type Listener = (tickets: readonly Ticket[]) => void;

export interface BoardColumn {
  status: TicketStatus;
  title: string;
  tickets: Ticket[];
}

const COLUMN_TITLES: Record<TicketStatus, string> = {
  open: "Open",
  in_progress: "In progress",
  closed: "Closed",
};

export class TicketStore {
  private tickets = new Map<number, Ticket>();
  private listeners = new Set<Listener>();
  private loading = false;
  private lastError: ApiError | null = null;

  get isLoading(): boolean {
    return this.loading;
  }

  get error(): ApiError | null {
    return this.lastError;
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  async load(filter: TicketFilter = {}): Promise<void> {
    this.loading = true;
    this.lastError = null;
    try {
      const tickets = await fetchTickets(filter);
      this.tickets = new Map(tickets.map((ticket) => [ticket.id, ticket]));
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      this.lastError = error;
    } finally {
      this.loading = false;
      this.notify();
    }
  }

  columns(): BoardColumn[] {
    const statuses = Object.keys(COLUMN_TITLES) as TicketStatus[];
    return statuses.map((status) => ({
      status,
      title: COLUMN_TITLES[status],
      tickets: this.sorted().filter((ticket) => ticket.status === status),
    }));
  }

  move(id: number, status: TicketStatus): boolean {
    const ticket = this.tickets.get(id);
    if (ticket === undefined || ticket.status === status) {
      return false;
    }
    this.tickets.set(id, { ...ticket, status });
    this.notify();
    return true;
  }

  labels(): string[] {
    const labels = new Set<string>();
    for (const ticket of this.tickets.values()) {
      for (const label of ticket.labels) {
        labels.add(label);
      }
    }
    return [...labels].sort();
  }

  private sorted(): Ticket[] {
    const tickets = [...this.tickets.values()];
    return tickets.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  private notify(): void {
    const tickets = this.sorted();
    for (const listener of this.listeners) {
      listener(tickets);
    }
  }
}
