/** A build for showing (VITE_DEMO=true): two tabs of one browser are two phones, and nobody has to type a password. */
export const isDemo = import.meta.env.VITE_DEMO === 'true';

export interface DemoPerson {
  name: string;
  email: string;
  password: string;
}

export const DEMO_PEOPLE: readonly DemoPerson[] = isDemo
  ? (JSON.parse(import.meta.env.VITE_DEMO_PEOPLE ?? '[]') as DemoPerson[])
  : [];

const KEY = 'parley-demo-phone';

/**
 * The name of this tab's phone; a reload keeps it. A browser that duplicates a tab copies its sessionStorage, and two
 * phones with one refresh token would sign each other out: the name is locked for as long as the tab lives, and a copy
 * that finds it locked begins as a new phone.
 */
export async function claimPhone(): Promise<string> {
  const known = sessionStorage.getItem(KEY);
  if (known !== null && (await lock(known))) return known;
  sessionStorage.clear();
  const name = `parley-${crypto.randomUUID()}`;
  sessionStorage.setItem(KEY, name);
  await lock(name);
  return name;
}

/** Without Web Locks (a page that is not served securely): as if there were no copies. */
function lock(name: string): Promise<boolean> {
  if (!('locks' in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    void navigator.locks.request(name, { ifAvailable: true }, (held) => {
      resolve(held !== null);
      return held === null ? undefined : new Promise<never>(() => {});
    });
  });
}
