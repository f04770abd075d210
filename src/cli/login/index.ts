export { login, type LoginFlags } from './login.js';
export { logout } from './logout.js';
export { whoami, type WhoamiFlags } from './whoami.js';
