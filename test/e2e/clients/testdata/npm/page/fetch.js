return [response.status, response.headers.get('x-farwire-from'), await response.text()];
