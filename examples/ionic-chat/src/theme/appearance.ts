export type Appearance = 'system' | 'light' | 'dark';

const KEY = 'parley-appearance';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

export function readAppearance(): Appearance {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export function chooseAppearance(appearance: Appearance): void {
  localStorage.setItem(KEY, appearance);
  paint();
}

/** Before the first paint, and whenever the system turns. */
export function applyAppearance(): void {
  systemIsDark.addEventListener('change', paint);
  paint();
}

function paint(): void {
  const appearance = readAppearance();
  const isDark = appearance === 'dark' || (appearance === 'system' && systemIsDark.matches);
  const root = document.documentElement;
  root.classList.toggle('ion-palette-dark', isDark);
  // Scrollbars, form controls and the canvas behind the app.
  root.style.colorScheme = isDark ? 'dark' : 'light';
}
