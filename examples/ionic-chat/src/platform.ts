import { getConfig } from '@ionic/react';

/** Which of Ionic's two looks this is. Known once Ionic is set up, and the same until the page is left. */
export const isIosLook = (): boolean => getConfig()?.get('mode') === 'ios';

/** With a mouse or a trackpad Enter sends; on a phone's keyboard it breaks the line. */
export const hasFinePointer = (): boolean => matchMedia('(pointer: fine)').matches;

export const prefersReducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
