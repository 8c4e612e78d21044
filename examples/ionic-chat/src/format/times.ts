const MINUTE = 60_000;
const DAY = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const shortDate = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const dateWithYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const longDateWithYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

export function timeOfDay(iso: string): string {
  return clock.format(new Date(iso));
}

/** For a list: as short as it can be told. */
export function listTime(iso: string, now: number): string {
  const days = daysAgo(iso, now);
  if (days <= 0) return timeOfDay(iso);
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(new Date(iso));
  return isThisYear(iso, now) ? shortDate.format(new Date(iso)) : dateWithYear.format(new Date(iso));
}

/** For the line between two days. */
export function dayName(iso: string, now: number): string {
  const days = daysAgo(iso, now);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return isThisYear(iso, now) ? longDate.format(new Date(iso)) : longDateWithYear.format(new Date(iso));
}

export function lastSeen(iso: string | null | undefined, now: number): string {
  if (iso == null) return 'Not seen yet';
  return `Last seen ${ago(iso, now)}`;
}

export function ago(iso: string, now: number): string {
  const passed = now - Date.parse(iso);
  if (passed < MINUTE) return 'just now';
  if (passed < 60 * MINUTE) return `${Math.floor(passed / MINUTE)} min ago`;
  const days = daysAgo(iso, now);
  if (days === 0) return `today at ${timeOfDay(iso)}`;
  if (days === 1) return `yesterday at ${timeOfDay(iso)}`;
  return `on ${isThisYear(iso, now) ? shortDate.format(new Date(iso)) : dateWithYear.format(new Date(iso))}`;
}

export function isSameDay(a: string, b: string): boolean {
  return startOfDay(Date.parse(a)) === startOfDay(Date.parse(b));
}

/** Days of the calendar here, not spans of 24 hours: rounded, because one in spring has 23 and one in autumn 25. */
function daysAgo(iso: string, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(Date.parse(iso))) / DAY);
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

function isThisYear(iso: string, now: number): boolean {
  return new Date(iso).getFullYear() === new Date(now).getFullYear();
}
