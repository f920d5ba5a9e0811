import { createContext, createElement, useContext, useEffect, useState, type ReactElement, type ReactNode } from 'react'
import { ChatClient, type ChatClientOptions, type ClientTypes } from '../client/index.ts'

/** A client that the app has created, or what the provider creates one from. */
export type ChatProviderProps = { readonly children?: ReactNode } & ({
  /** The app closes it. */
  readonly client: ChatClient
  readonly url?: undefined
  readonly options?: undefined
} | {
  readonly client?: undefined
  /** of the chat route, such as `/chat`. Another URL replaces the client */
  readonly url: string
  /** read when the client is created; later changes have no effect */
  readonly options?: ChatClientOptions | undefined
})

/** The client of the provider: null without a provider, undefined until the provider has created the client. */
const ChatContext = createContext<ChatClient | null | undefined>(null)

/**
 * Provides a client to `useRoom` and `useChatClient`. With `url`, it creates the client when it is mounted, and closes it when it is
 * unmounted. It creates none on a server.
 */
export function ChatProvider ({ client, url, options, children }: ChatProviderProps): ReactElement {
  const [created, setCreated] = useState<{ readonly client: ChatClient, readonly url: string }>()
  useEffect(() => {
    if (url === undefined) return undefined
    const client = new ChatClient(url, options)
    setCreated({ client, url })
    return () => {
      client.close()
      // The component may be mounted again with its state.
      setCreated(undefined)
    }
  }, [url])
  // The components release the client of an earlier URL before it is closed.
  const value = client ?? (created?.url === url ? created?.client : undefined)
  return createElement(ChatContext.Provider, { value }, children)
}

/**
 * Returns the client of the provider. undefined: the provider has not created it yet; always on a server, unless the app created it.
 * @throws Error without a provider
 */
export function useChatClient<Types extends ClientTypes = ClientTypes> (): ChatClient<Types> | undefined {
  const client = useContext(ChatContext)
  if (client === null) throw new Error('useRoom and useChatClient require a ChatProvider')
  return client as ChatClient<Types> | undefined
}
