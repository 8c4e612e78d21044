/** Who asks: decided by the access token alone. */
export interface Viewer {
  userId: string;
  sessionId: string;
  /** When the access token ends, in milliseconds since 1970. */
  expiresAt: number;
}
