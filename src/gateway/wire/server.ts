/**
 * The HTTP server with room for a token of 16 KiB among the headers: by itself it takes 4 KiB, and less than a token where they
 * come in several pieces. It reads this once, when it is loaded. An operator's own setting counts.
 */
const MAX_HEADERS_BYTES = 32 * 1024;
process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(MAX_HEADERS_BYTES);

const { default: uWS } = await import('uWebSockets.js');
export { uWS };
