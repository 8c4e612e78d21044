/** What other clients attach is theirs to get wrong: each reader answers null for what it does not understand. */

export interface Place {
  latitude: number;
  longitude: number;
}

export interface Photo {
  url: string;
  /** Pixels; null where the sender did not say. */
  size: { width: number; height: number } | null;
}

export function readPlace(extraData: unknown): Place | null {
  const { latitude, longitude } = asRecord(extraData);
  if (!isWithin(latitude, 90) || !isWithin(longitude, 180)) return null;
  return { latitude, longitude };
}

export function readPhoto(extraData: unknown): Photo | null {
  const { url, width, height } = asRecord(extraData);
  if (typeof url !== 'string' || !URL.canParse(url) || new URL(url).protocol !== 'https:') return null;
  const hasSize = typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0;
  return { url, size: hasSize ? { width, height } : null };
}

export function mapAddress({ latitude, longitude }: Place): string {
  return `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
}

/** `51.4521° N, 2.5967° W` */
export function coordinates({ latitude, longitude }: Place): string {
  const side = (value: number, positive: string, negative: string) =>
    `${Math.abs(value).toFixed(4)}° ${value < 0 ? negative : positive}`;
  return `${side(latitude, 'N', 'S')}, ${side(longitude, 'E', 'W')}`;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isWithin(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Math.abs(value) <= limit;
}
