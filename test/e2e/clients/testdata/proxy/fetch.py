# Fetches each address with three libraries that read HTTP_PROXY and HTTPS_PROXY.
import asyncio, sys
import aiohttp, httpx, requests


async def with_aiohttp(url):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get(url) as answer:
            return await answer.text()


for url in sys.argv[1:]:
    print("requests", requests.get(url).text)
    print("httpx", httpx.get(url).text)
    if url.startswith("http:"):
        print("aiohttp", asyncio.run(with_aiohttp(url)))
