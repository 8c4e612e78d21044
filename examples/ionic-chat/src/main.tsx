import { setupIonicReact } from '@ionic/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { parley } from './parley.ts';
import { applyAppearance } from './theme/appearance.ts';
import './theme/theme.css';

applyAppearance();
// Screen readers follow a page transition to the new page's heading. Without motion where the system asks for that.
setupIonicReact({
  focusManagerPriority: ['heading', 'content'],
  animated: !matchMedia('(prefers-reduced-motion: reduce)').matches,
});
void parley.start();

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
