async def main():
    async with websockets.connect(feed) as socket:
        await socket.send("hello")
        while (message := await socket.recv()) == "tick":
            pass
        print(message)

asyncio.run(main())
