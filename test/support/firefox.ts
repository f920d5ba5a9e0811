import { once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { run } from './command.ts'
import { directory } from './directory.ts'
import { installed } from './executable.ts'

const browser = installed('firefox-esr')

export const { skip } = browser

/** A window of Firefox, driven by WebDriver BiDi: Playwright can't drive the Firefox of Debian. */
export interface FirefoxWindow {
  /** Resolves when the page has loaded. */
  open (url: string): Promise<void>
  /** Resolves with the value of an expression, which may be a promise: a string, a number, a boolean or undefined. */
  evaluate (expression: string): Promise<unknown>
  /** Resolves when the expression is truthy. */
  until (expression: string): Promise<void>
  /** Errors of the console and of scripts. */
  readonly complaints: string[]
}

interface Answer { readonly id?: number, readonly method?: string, readonly params?: { level?: string, text?: string }, readonly error?: string, readonly message?: string, readonly result?: unknown }
interface Evaluated { readonly result?: { readonly value?: unknown }, readonly exceptionDetails?: { readonly text: string } }

/** Starts a Firefox, stopped with the test. Rejects if none is installed. */
export async function launchFirefox (t: Test): Promise<FirefoxWindow> {
  const profile = directory(t)
  const { child, seen, ended } = run(t, ['--headless', '--no-remote', '--remote-debugging-port=0', '--profile', profile],
    { file: browser.path(), env: { HOME: profile } })
  const [, endpoint = ''] = await seen(/WebDriver BiDi listening on (ws:\S+)/)
  const socket = new WebSocket(`${endpoint}/session`)
  t.teardown(async () => {
    socket.terminate()
    child.kill('SIGKILL')
    await ended
  })
  await once(socket, 'open')

  const complaints: string[] = []
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.on('message', (data: Buffer) => {
    const answer = JSON.parse(data.toString()) as Answer
    if (answer.method === 'log.entryAdded' && answer.params?.level === 'error') complaints.push(answer.params.text ?? '')
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer)
  })
  let last = 0
  async function command (method: string, params: object): Promise<unknown> {
    const id = ++last
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params }))
    const { error, message, result } = await answered
    if (error !== undefined) throw new Error(`${method}: ${message}`)
    return result
  }

  await command('session.new', { capabilities: {} })
  await command('session.subscribe', { events: ['log.entryAdded'] })
  const { context } = await command('browsingContext.create', { type: 'tab' }) as { context: string }

  async function evaluate (expression: string): Promise<unknown> {
    const evaluated = await command('script.evaluate', { expression, target: { context }, awaitPromise: true }) as Evaluated
    if (evaluated.exceptionDetails !== undefined) throw new Error(evaluated.exceptionDetails.text)
    return evaluated.result?.value
  }

  return {
    open: async (url) => { await command('browsingContext.navigate', { context, url, wait: 'complete' }) },
    evaluate,
    until: async (expression) => {
      await evaluate(`new Promise((resolve) => { const check = () => (${expression}) ? resolve(true) : setTimeout(check, 20); check() })`)
    },
    complaints
  }
}
