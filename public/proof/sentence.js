// Describes an outage in sentences. All numbers come from its report.

/** Returns the sentence for an outage that is not over. @param dots as of the outage */
export function progressOf ({ cause, seconds, isBack }, dots) {
  if (seconds === undefined) return 'The next acknowledgement of a post will be lost, and the connection with it. Write a message.'
  const missed = dots.filter(({ state }) => state === 'missed').length
  const pending = dots.filter(({ state }) => state === 'pending').length
  const beginning = isBack ? 'Reconnected.' : cause === 'drop' ? `Packets have been dropped for ${round(seconds)}.` : `Disconnected for ${round(seconds)}.`
  return join(
    beginning,
    missed > 0 && `${count(missed, 'message')} ${missed === 1 ? 'is' : 'are'} stored on the server but ${missed === 1 ? 'has' : 'have'} not arrived here.`,
    pending > 0 && `${pending} of your posts ${pending === 1 ? 'is' : 'are'} waiting.`)
}

/** Returns the sentence for an outage that is over. @param report of the outage */
export function summaryOf (report) {
  const { noticed, ackLost, complete, seconds, cause } = report
  const beginning = cause === 'drop' && !noticed
    ? `Packets were dropped for ${round(seconds)}. The connection survived.`
    : join(ackLost && 'The acknowledgement was lost.', `Disconnected for ${round(seconds)}.`)
  if (!complete) return join(beginning, 'The server no longer has all missed messages and reports this (complete: false).', ownPosts(report))
  return join(beginning, missedMessages(report), ownPosts(report), comparison(report))
}

function missedMessages ({ missed, more, noticed }) {
  if (missed === 0) return 'No message was missed.'
  if (more) return `At least ${missed} missed messages arrived.`
  return `${count(missed, noticed ? 'missed message' : 'message')} arrived${noticed ? '' : ' late'}.`
}

function ownPosts ({ posts, stored, failed, repeated, ownOnServer }) {
  if (posts === 0) return ''
  const subject = posts === 1 ? 'Your post' : `Your ${posts} posts`
  const once = ownOnServer === stored
    ? `${subject} ${posts === 1 ? 'is stored once' : 'are stored once each'}.`
    : ownOnServer === undefined ? `${subject} ${posts === 1 ? 'is' : 'are'} acknowledged.` : `The server has ${count(ownOnServer, 'message')} for your ${count(stored, 'post')}.`
  return join(
    stored > 0 && (failed > 0 ? `${stored} of your ${posts} posts ${stored === 1 ? 'is' : 'are'} stored.` : once),
    repeated > 0 && (posts === 1 ? 'It was sent again, with the same id.' : `${repeated} of them ${repeated === 1 ? 'was' : 'were'} sent again, with the same id.`),
    failed > 0 && `${count(failed, 'post')} failed.`)
}

function comparison ({ same, missed, posts }) {
  if (missed + posts === 0) return ''
  if (same === undefined) return 'The messages were not compared with those on the server.'
  if (!same) return 'The messages here differ from those on the server.'
  return missed + posts > 1 ? 'The order matches the server, with no gaps.' : ''
}

function round (seconds) {
  return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`
}

function count (number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function join (...sentences) {
  return sentences.filter(Boolean).join(' ')
}
