import assert from 'node:assert/strict'
import type { Roster } from '../../roster.ts'
import { newName } from '../suite.ts'
import type { RosterSubtest } from './bounds.ts'
import { Watcher } from './watcher.ts'

const texts = ['0', 'null', '""', '{"text":"grüße\\n\\" \\u0000 😀"}', JSON.stringify('x'.repeat(4_000))]

/** Ids that a name of a channel or a property could take for something else. */
const ids = ['a', 'b', 'a b', '1 a', 'direct', 'a:direct', '{a}', '}a{', '__proto__', 'constructor', '*', 'ä']

/** Checks messages to members. */
export async function directMessagesPromises (test: RosterSubtest): Promise<void> {
  await test('send passes data to each attendance of the member, and to no other member', async (open) => {
    const roster = await open()
    const [one, two, other] = [await Watcher.ofMember(roster, 'ada'), await Watcher.ofMember(roster, 'ada'), await Watcher.ofMember(roster, 'bob')]
    await roster.attend('ada', two.hear)
    for (const text of texts) assert.equal(await roster.send('ada', text), true)
    assert.equal(await roster.send('bob', '"to bob"'), true)
    await Promise.all([one.untilReceived(texts.length), two.untilReceived(2 * texts.length), other.untilReceived(1)])
    assert.deepEqual(one.told.toSorted(), texts.toSorted())
    assert.deepEqual(two.told.toSorted(), [...texts, ...texts].toSorted(), 'a listener that attends twice receives the data twice')
    assert.deepEqual(other.told, ['"to bob"'])
  })

  await test('attendances of one listener end one by one', async (open) => {
    const roster = await open()
    const [watcher, other] = [await Watcher.ofMember(roster, 'ada'), await Watcher.ofMember(roster, 'ada')]
    const stop = await roster.attend('ada', watcher.hear)
    stop()
    stop()
    assert.equal(await roster.send('ada', '1'), true)
    await Promise.all([watcher.untilReceived(1), other.untilReceived(1)])
    const again = await roster.attend('ada', watcher.hear)
    stop()
    assert.equal(await roster.send('ada', '2'), true)
    await Promise.all([watcher.untilReceived(3), other.untilReceived(2)])
    assert.deepEqual(watcher.told, ['1', '2', '2'])
    again()
  })

  await test('members are isolated, whatever their ids', async (open) => {
    const roster = await open()
    assert.deepEqual(await Promise.all(ids.map((id) => roster.send(id, '"early"'))), ids.map(() => false))
    const watchers = await Promise.all(ids.map((id) => Watcher.ofMember(roster, id)))
    for (const id of ids) assert.equal(await roster.send(id, JSON.stringify(id)), true)
    for (const [i, watcher] of watchers.entries()) {
      await watcher.untilReceived(1)
      assert.deepEqual(watcher.told, [JSON.stringify(ids[i])])
    }
  })

  await test('send resolves with false once no attendance of the member is left', async (open) => {
    const roster = await open()
    assert.equal(await roster.send('ada', '1'), false)
    const [one, two] = [await Watcher.ofMember(roster, 'ada'), await Watcher.ofMember(roster, 'ada')]
    one.stop()
    one.stop()
    assert.equal(await roster.send('ada', '2'), true)
    await two.untilReceived(1)
    two.stop()
    await untilUnattended(roster, 'ada')
    assert.deepEqual([one.told, two.told], [[], ['2']])
  })

  await test('an attendance receives what is sent once it resolved, also right after another has ended', async (open) => {
    const roster = await open()
    let former = await Watcher.ofMember(roster, 'ada')
    for (let i = 0; i < 50; i++) {
      former.stop()
      const attending = Watcher.ofMember(roster, 'ada')
      if (i % 2 === 0) former.stop()
      const watcher = await attending
      assert.equal(await roster.send('ada', `${i}`), true)
      await watcher.untilReceived(1)
      assert.deepEqual(watcher.told, [`${i}`])
      assert.equal(former.told.length, i === 0 ? 0 : 1, 'nothing after its end')
      former = watcher
    }
  })

  await test('many members can be attended at once', async (open) => {
    const roster = await open()
    const members = Array.from({ length: 1_500 }, (_, i) => `member ${i}`)
    const watchers = await Promise.all(members.map((id) => Watcher.ofMember(roster, id)))
    assert.equal((await Promise.all(members.map((id) => roster.send(id, JSON.stringify(id))))).every(Boolean), true)
    await Promise.all(watchers.map((watcher) => watcher.untilReceived(1)))
    assert.deepEqual(watchers.map(({ told }) => told), members.map((id) => [JSON.stringify(id)]))
    for (const watcher of watchers) watcher.stop()
    for (const id of members) await untilUnattended(roster, id)
  })

  await test('wrong arguments of send and attend reject and have no effect', async (open) => {
    const roster = await open()
    const watcher = await Watcher.ofMember(roster, 'ada')
    const wrong = ['', undefined, null, 7, {}, ['ada']] as unknown as string[]
    const calls: Array<() => Promise<unknown>> = [
      ...wrong.flatMap((each) => [() => roster.send(each, '1'), () => roster.send('ada', each), () => roster.attend(each, watcher.hear)]),
      ...[undefined, null, 'listener', {}].map((each) => () => roster.attend('ada', each as () => void))
    ]
    for (const call of calls) {
      let called!: Promise<unknown>
      assert.doesNotThrow(() => { called = call() })
      await assert.rejects(called, { code: 'FST_CHAT_INVALID_ARGUMENT' })
    }
    await roster.send('ada', '1')
    await watcher.untilReceived(1)
    assert.deepEqual(watcher.told, ['1'])
  })
}

/** Checks messages to members that several rosters on the same data attend. */
export async function sharedDirectMessagesPromises (test: RosterSubtest): Promise<void> {
  await test('send reaches every peer that attends the member', async (open) => {
    const name = newName()
    const peers = await Promise.all([1, 2, 3].map(() => open({}, name)))
    const [one, two, three] = peers as [Roster, Roster, Roster]
    assert.equal(await one.send('ada', '0'), false)
    const here = await Watcher.ofMember(one, 'ada')
    assert.equal(await three.send('ada', '1'), true)
    const there = await Watcher.ofMember(two, 'ada')
    for (const [i, peer] of peers.entries()) assert.equal(await peer.send('ada', `${i + 2}`), true)
    await Promise.all([here.untilReceived(4), there.untilReceived(3)])
    assert.deepEqual([here.told.toSorted(), there.told.toSorted()], [['1', '2', '3', '4'], ['2', '3', '4']])
    here.stop()
    assert.equal(await one.send('ada', '5'), true, 'the other peer still attends')
    await there.untilReceived(4)
    await two.close()
    await untilUnattended(three, 'ada')
    assert.equal(here.told.length, 4)
  })

  await test('rosters on different backends share no attendance', async (open) => {
    const [one, two] = [await open(), await open()]
    const watcher = await Watcher.ofMember(two, 'ada')
    assert.equal(await one.send('ada', '1'), false)
    assert.equal(await two.send('ada', '2'), true)
    await watcher.untilReceived(1)
    assert.deepEqual(watcher.told, ['2'])
  })
}

/** Resolves when a backend has ended all attendances of a member. */
export async function untilUnattended (roster: Roster, memberId: string): Promise<void> {
  while (await roster.send(memberId, '"unattended"'));
}
