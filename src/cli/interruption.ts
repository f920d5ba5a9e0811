/** Calls the function when the user ends the command: on SIGINT, on SIGTERM, and when the reader of stdout is gone. */
export function onInterruption (end: () => void): void {
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  // EPIPE: the reader of our output, such as `head`, has closed the pipe.
  process.stdout.on('error', end)
}
