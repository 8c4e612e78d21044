/** Where the screens are. `signed-out.tsx`, `signed-in.tsx` and `tabs.tsx` say which screen is where. */
export const routes = {
  signIn: '/sign-in',
  register: '/register',
  chats: '/tabs/chats',
  people: '/tabs/people',
  profile: '/tabs/profile',
  devices: '/tabs/profile/devices',
  chat: (id: string) => `/chats/${id}`,
  chatInfo: (id: string) => `/chats/${id}/info`,
};
