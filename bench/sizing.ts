/** A service for which the load is computed. */
export interface Service {
  readonly members: number
  readonly rooms: number
  /** messages per second and member */
  readonly posts: number
  readonly nodes: number
  /** masters of the Redis, over which rooms are distributed */
  readonly masters: number
}

/** The load of each part, per second except for `followed`. */
export interface Sizes {
  /** to all Redis masters together */
  readonly appends: number
  /** from Redis: a message counts once for each node with members in its room */
  readonly published: number
  /** to members */
  readonly deliveries: number
  /** rooms followed by a node */
  readonly followed: number
  /** messages that a node receives from Redis */
  readonly received: number
  /** appends to the busiest master */
  readonly busiestMaster: number
}

/** Computes the load. Members are in random rooms and on random nodes, so room sizes follow a Poisson distribution. */
export function arithmetic ({ members, rooms, posts, nodes, masters }: Service): Sizes {
  const mean = members / rooms
  const appends = members * posts
  // A room has no members on e^(-mean/n) of the nodes.
  const followed = rooms * (1 - Math.exp(-mean / nodes))
  // Large rooms have more posts: on average, the room of a post has its author and as many others as a room has members.
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

/** Simulates the load. Puts every member into a random room on a random node, and counts. */
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

/** Returns a generator of numbers from 0 to 1, the same for each seed. Marsaglia's public-domain xorshift32. */
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
