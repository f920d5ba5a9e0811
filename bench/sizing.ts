/** A service to be sized. */
export interface Service {
  readonly members: number
  readonly rooms: number
  /** a member, in messages a second */
  readonly posts: number
  readonly nodes: number
  /** masters of the Redis, among which rooms are dealt out */
  readonly masters: number
}

/** What one part of it has to carry, of each second. */
export interface Sizes {
  /** to Redis, all masters together */
  readonly appends: number
  /** from Redis: each message once for every node that has members in its room */
  readonly published: number
  /** to members */
  readonly deliveries: number
  /** rooms followed by a node */
  readonly followed: number
  /** messages that a node is given by Redis */
  readonly received: number
  /** the busiest master's appends */
  readonly busiestMaster: number
}

/** By arithmetic: members are in rooms and on nodes by chance, so that rooms are of different sizes (Poisson). */
export function arithmetic ({ members, rooms, posts, nodes, masters }: Service): Sizes {
  const mean = members / rooms
  const appends = members * posts
  // Of a room, the nodes that none of its members is on are e^(-mean/n) of all.
  const followed = rooms * (1 - Math.exp(-mean / nodes))
  // A post is of a large room rather than of a small one: its author and, on average, as many others as a room has members.
  const nodesOfPost = nodes * (1 - (1 - 1 / nodes) * Math.exp(-mean / nodes))
  const published = appends * nodesOfPost
  return {
    appends,
    published,
    deliveries: appends * (mean + 1),
    followed,
    received: published / nodes,
    busiestMaster: appends / Math.min(masters, rooms)
  }
}

/** By trial: every member is put on a node and in a room, and what follows is counted. */
export function simulation ({ members, rooms, posts, nodes, masters }: Service, random: () => number): Sizes {
  const sizes = new Uint32Array(rooms)
  const present = Array.from({ length: nodes }, () => new Uint8Array(rooms))
  const one = (of: number) => Math.floor(random() * of)
  for (let member = 0; member < members; member++) {
    const room = one(rooms)
    sizes[room]!++
    present[one(nodes)]![room] = 1
  }
  const appendsOf = new Float64Array(masters)
  const sums = { appends: 0, published: 0, deliveries: 0, followed: 0 }
  for (const [room, size] of sizes.entries()) {
    const appends = size * posts
    const nodesOfRoom = present.reduce((sum, rooms) => sum + rooms[room]!, 0)
    sums.appends += appends
    sums.published += appends * nodesOfRoom
    sums.deliveries += appends * size
    sums.followed += nodesOfRoom / nodes
    appendsOf[one(masters)]! += appends
  }
  return { ...sums, received: sums.published / nodes, busiestMaster: Math.max(...appendsOf) }
}

/** Numbers from 0 to 1 that are the same in each run. After the public-domain generator of Marsaglia, xorshift32. */
export function xorshift (seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

export const services: Readonly<Record<string, Service>> = {
  'a million members in a hundred thousand rooms': { members: 1_000_000, rooms: 100_000, posts: 1 / 60, nodes: 20, masters: 3 },
  'one room of a hundred thousand': { members: 100_000, rooms: 1, posts: 1 / 10_000, nodes: 10, masters: 1 }
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, service] of Object.entries(services)) {
    const calculated = arithmetic(service)
    const simulated = simulation(service, xorshift(1))
    console.log(`${name}: ${JSON.stringify(service)}`)
    console.table(Object.fromEntries(Object.keys(calculated).map((key) =>
      [key, { arithmetic: Math.round(calculated[key as keyof Sizes]), simulation: Math.round(simulated[key as keyof Sizes]) }])))
  }
}
