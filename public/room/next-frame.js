// ms: browsers suspend animation frames in background tabs.
const LATEST = 500

/** Returns a function that runs `draw` once before the next frame, or after 500 ms in a background tab. */
export function nextFrame (draw) {
  let frame, timer

  function run () {
    window.cancelAnimationFrame(frame)
    clearTimeout(timer)
    frame = undefined
    draw()
  }

  return function schedule () {
    if (frame !== undefined) return
    frame = window.requestAnimationFrame(run)
    timer = setTimeout(run, LATEST)
  }
}
