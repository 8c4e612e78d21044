/** Where a request comes from, as far as the transport can tell. */
export interface Client {
  /** What limits by address count by. */
  address: string;
  /** The client's name for itself, for the list of sessions. */
  userAgent: string | null;
}
