// A graphql-ws server with one subscription.
const { WebSocketServer } = require('ws');
const { useServer } = require('graphql-ws/lib/use/ws');
const { GraphQLSchema, GraphQLObjectType, GraphQLInt, GraphQLString } = require('graphql');

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString, resolve: () => 'world' } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: GraphQLInt,
        args: { to: { type: GraphQLInt } },
        subscribe: async function* (_, { to }) {
          for (let count = 1; count <= to; count++) yield { count };
        },
      },
    },
  }),
});

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/graphql' });
useServer({ schema, onConnect: (context) => context.connectionParams?.secret === 'sesame' }, server);
server.on('listening', () => console.log('listening on', server.address().port));
