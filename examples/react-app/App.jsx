import { memo, useEffect, useState } from 'react'
import { ChatProvider, useRoom } from 'fastify-chat/react'

const query = new URLSearchParams(window.location.search)

export function App () {
  return (
    <ChatProvider url='/chat' options={{ name: query.get('name') ?? 'ada' }}>
      <Room name={query.get('room') ?? 'lobby'} />
    </ChatProvider>
  )
}

function Room ({ name }) {
  const { room, status, error, count, items, hasOlder, typing, unread, ...actions } = useRoom(name, { history: 20 })
  const { loadOlder, markRead, post, reportTyping, delete: remove, retry, discard } = actions
  useEffect(() => { if (unread && document.hasFocus()) markRead() }, [unread, markRead])
  if (error) return <p role='alert'>{error.message}</p>
  return (
    <main>
      <h1>{name}</h1>
      <p>{status.state}, {count} here</p>
      {hasOlder && <button onClick={() => loadOlder().catch(() => { /* offline */ })}>Older messages</button>}
      <ol>{items.map((item) => <Item key={item.key} item={item} remove={remove} retry={retry} discard={discard} />)}</ol>
      <p>{typing.map(({ name }) => `${name} is typing … `)}</p>
      <Form post={post} reportTyping={reportTyping} disabled={!room} />
    </main>
  )
}

// The functions and an item that has not changed stay the same, so only changed items are rendered again.
const Item = memo(({ item: { key, position, state, own, from, text, deleted, error }, remove, retry, discard }) => {
  if (deleted) return <li>(deleted)</li>
  return (
    <li>
      <b>{from?.name}</b> {text} {state === 'pending' && '(sending)'}
      {own && state === 'stored' && <button onClick={() => remove(position).catch(({ message }) => window.alert(message))}>Delete</button>}
      {state === 'failed' && <>({error.message}) <button onClick={() => retry(key)}>Retry</button> <button onClick={() => discard(key)}>Discard</button></>}
    </li>
  )
})

function Form ({ post, reportTyping, disabled }) {
  const [text, setText] = useState('')
  const write = (text) => { setText(text); reportTyping(text !== '') }
  const submit = (event) => {
    event.preventDefault()
    if (text !== '') post(text)
    setText('')
  }
  return (
    <form onSubmit={submit}>
      <input aria-label='Message' value={text} onChange={({ target }) => write(target.value)} disabled={disabled} />
      <button disabled={disabled}>Send</button>
    </form>
  )
}
