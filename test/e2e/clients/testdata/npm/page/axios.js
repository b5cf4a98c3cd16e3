const { data } = await api.put('/items/1', { price: 2 }, { params: { 'a b': 'c/d' } });
return data;
