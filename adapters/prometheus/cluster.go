package prometheus

// ClusterStats are what a gateway's part in a cluster has to tell; its fields are
// those of natscluster.Stats.
type ClusterStats struct {
	Connected bool   // NATS is available now
	Gateways  int    // that have sent a heartbeat lately, this one among them
	Published uint64 // messages
	Received  uint64 // messages that were taken
	Dropped   uint64 // messages that were not: forged, old, or there before
}

// WatchCluster has the metrics show the gateway's part in a cluster, too. The
// function is called at every scrape, perhaps concurrently.
func (m *Metrics) WatchCluster(stats func() ClusterStats) { m.cluster.Store(&stats) }
