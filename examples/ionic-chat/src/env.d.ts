/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the API is. Default: `/graphql` of the page's own origin. */
  readonly VITE_API_URL?: string;
  /** `true`: each tab is a phone of its own, and the sign-in page offers VITE_DEMO_PEOPLE. */
  readonly VITE_DEMO?: string;
  /** JSON: `[{ "name": "…", "email": "…", "password": "…" }]`. */
  readonly VITE_DEMO_PEOPLE?: string;
}
