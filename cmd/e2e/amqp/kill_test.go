package amqp_test

func gatewayProcess(args []string) int { return 0 }
