import { createParley, webTokenStore } from '@parley/client';
import type { ParleyOptions } from '@parley/client';
import { claimPhone, isDemo } from './demo.ts';
import { describeDevice } from './device.ts';

/** The one connection of this app. In a native shell, give it a `tokenStore` over the system's secure storage here. */
export const parley = createParley({
  url: import.meta.env.VITE_API_URL ?? new URL('/graphql', location.origin).href,
  deviceName: describeDevice(navigator.userAgent),
  ...(isDemo && (await asPhoneOfItsOwn())),
});

async function asPhoneOfItsOwn(): Promise<Partial<ParleyOptions>> {
  const name = await claimPhone();
  return { name, tokenStore: webTokenStore({ name, storage: sessionStorage }) };
}
