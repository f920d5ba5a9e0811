/** Words of chat messages, so that texts compress as chat messages do. */
const words = ('the a to and of in is it you that for on with are this was have not be at can we my me so if just what ' +
  'will do from or your but they when there all more about one our how get up out see would time some like could then ' +
  'meeting deploy branch review ticket server client tomorrow morning lunch coffee build release staging production ' +
  'database query index cache latency error timeout retry log graph dashboard alert customer invoice payment account ' +
  'design page button colour layout mobile browser version update install package module function variable test failed ' +
  'passed fixed broken again maybe probably actually really thanks please sorry sure okay great nice good bad weird ' +
  'interesting question answer idea plan document note link picture video call channel message thread room everyone ' +
  'someone nobody anything yesterday friday weekend holiday train weather rain ready waiting looking working trying').split(' ')

/** Returns sentences with exactly `length` ASCII characters. The same seed returns the same sentences. */
export function sentences (length: number, seed: number): string {
  let text = ''
  let state = seed * 2_654_435_761 + 1
  while (text.length < length) {
    // Numerical Recipes' linear congruential generator.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += words[state % words.length] + (state % 11 === 0 ? '. ' : state % 17 === 0 ? `, ${state % 1_000} ` : ' ')
  }
  return text.slice(0, length)
}
