/** The database cannot be opened, and waiting will not help. The message is for the operator, and holds no secret. */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
}
