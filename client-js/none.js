// What `#websocket` is where the platform must have one itself.

export default undefined;
