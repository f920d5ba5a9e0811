// What the client uses of `ws`. Its own declarations would add Node's types to the client.
export const WebSocket: typeof globalThis.WebSocket
